// Everything works without this file. It adds a way to see a typed password and stops a form from being sent twice.
for (const button of document.querySelectorAll('button[data-reveals]')) {
  const field = document.getElementById(button.dataset.reveals);
  button.hidden = false;
  button.addEventListener('click', () => {
    const shown = field.type === 'password';
    field.type = shown ? 'text' : 'password';
    button.setAttribute('aria-pressed', String(shown));
  });
  // A password manager learns passwords from fields of that type only.
  field.form.addEventListener('submit', () => {
    field.type = 'password';
  });
}

// The page that comes of such a form may be the answer to it, since address.js gives it an address of its own.
for (const form of document.querySelectorAll('form[data-at-once]')) {
  form.append(Object.assign(document.createElement('input'), { type: 'hidden', name: 'at_once', value: '1' }));
}

for (const form of document.forms) {
  form.addEventListener('submit', (event) => {
    if (form.ariaBusy === 'true') event.preventDefault();
    form.ariaBusy = 'true';
  });
}

// Going back shows the page as it was left, a sent form included.
addEventListener('pageshow', () => {
  for (const form of document.forms) form.ariaBusy = null;
});
