// Solves the puzzle of a page in a worker while the person types. Without this file the page shows a picture and a sound in its place.
for (const box of document.querySelectorAll('[data-puzzle]')) {
  const { challenge, salt, signature, maxnumber } = JSON.parse(box.dataset.puzzle);
  const field = box.querySelector('input[name="proof"]');
  const status = box.querySelector('[role="status"]');
  const form = box.closest('form');
  let isAwaited = false;
  field.disabled = false;
  status.hidden = false;

  const fail = () => {
    isAwaited = false;
    status.textContent = box.dataset.failed;
  };
  const worker = new Worker(box.dataset.worker);
  worker.addEventListener('error', fail);
  worker.addEventListener('message', ({ data: number }) => {
    worker.terminate();
    if (number === undefined) return fail();
    field.value = btoa(JSON.stringify({ algorithm: 'SHA-256', challenge, number, salt, signature }));
    status.textContent = box.dataset.done;
    if (isAwaited) form.requestSubmit();
  });
  worker.postMessage({ challenge, salt, maxnumber });

  // Before any other listener: a form that waits for its proof is not being sent yet.
  form.addEventListener(
    'submit',
    (event) => {
      if (field.value !== '') return;
      event.preventDefault();
      event.stopImmediatePropagation();
      isAwaited = true;
    },
    { capture: true },
  );
}
