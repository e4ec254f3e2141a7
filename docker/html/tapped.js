// A fetch that shows what it sends and receives, for the pages that look at the wire. What a listener is missing for is
// not shown: onRequest(url, options), onAnswer(answer), onBytes(bytes), and onOpen(cut) with a function that breaks the
// connection.

export const tapped = ({ onRequest, onAnswer, onBytes, onOpen }) => async (url, options) => {
  onRequest?.(url, options);
  const answer = await fetch(url, options);
  onAnswer?.(answer);
  if (!answer.body) return answer;
  const tap = new TransformStream({
    start: (controller) => onOpen?.(() => controller.error(new Error("cut"))),
    transform: (bytes, controller) => {
      onBytes?.(bytes);
      controller.enqueue(bytes);
    },
  });
  return new Response(answer.body.pipeThrough(tap), { status: answer.status, headers: answer.headers });
};
