// As much of Test::More as the browser tests need.

let count = 0;

export function diag(text) {
  console.error(String(text).replace(/^/gm, "# "));
}

export function ok(good, name, detail) {
  console.log(`${good ? "ok" : "not ok"} ${++count} - ${name}`);
  if (good) return;
  diag(`  Failed test '${name}'`);
  if (detail !== undefined) diag(detail);
}

// Compares values by their JSON; for lists it shows where they begin to differ.
export function is(got, expected, name) {
  const same = JSON.stringify(got) === JSON.stringify(expected);
  let detail = `got ${JSON.stringify(got)}, expected ${JSON.stringify(expected)}`;
  if (!same && Array.isArray(got) && Array.isArray(expected)) {
    const at = Array.from({ length: Math.max(got.length, expected.length) }).findIndex((_, i) => got[i] !== expected[i]);
    detail = `${got.length} entries, expected ${expected.length}; they part at ${at}:\n` +
             `got      ${JSON.stringify(got.slice(at, at + 3))}\nexpected ${JSON.stringify(expected.slice(at, at + 3))}`;
  }
  ok(same, name, detail);
}

export function done() {
  console.log(`1..${count}`);
}
