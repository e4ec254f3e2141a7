// A fetch that reports what it sends and receives, for the pages that show the wire. It calls the listeners that it is
// given: onRequest(url, options), onAnswer(answer), onBytes(bytes), and onOpen(cut) with a function that breaks the
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
