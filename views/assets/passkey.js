// Asks the device for a passkey and puts its answer into the form (WebAuthn Level 3). Where a browser cannot, the form stays hidden.
const toBytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
const toText = (buffer) =>
  buffer === null || buffer === undefined
    ? ''
    : btoa(Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join(''))
        .replaceAll('+', '-')
        .replaceAll('/', '_')
        .replaceAll('=', '');
const named = (list) => list.map((one) => ({ ...one, id: toBytes(one.id) }));

function optionsOf(form) {
  const options = JSON.parse(form.dataset.options);
  options.challenge = toBytes(options.challenge);
  if (options.user) options.user.id = toBytes(options.user.id);
  if (options.allowCredentials) options.allowCredentials = named(options.allowCredentials);
  if (options.excludeCredentials) options.excludeCredentials = named(options.excludeCredentials);
  return options;
}

function send(form, { rawId, response }) {
  const values = {
    credential: toText(rawId),
    clientData: toText(response.clientDataJSON),
    attestation: toText(response.attestationObject),
    transports: response.getTransports?.().join(' ') ?? '',
    authenticatorData: toText(response.authenticatorData),
    signature: toText(response.signature),
    userHandle: toText(response.userHandle),
  };
  for (const [name, value] of Object.entries(values)) {
    const field = form.elements.namedItem(name);
    if (field) field.value = value;
  }
  form.requestSubmit();
}

/** Of the two ways to be asked, in the list under a field and by the button, a browser allows one at a time. */
let waiting;

async function ask(form, more) {
  waiting?.abort();
  waiting = new AbortController();
  const request = { publicKey: optionsOf(form), signal: waiting.signal, ...more };
  const { credentials } = navigator;
  return form.dataset.passkey === 'create' ? credentials.create(request) : credentials.get(request);
}

async function offer(form) {
  if (!(await window.PublicKeyCredential.isConditionalMediationAvailable?.())) return;
  try {
    send(form, await ask(form, { mediation: 'conditional' }));
  } catch {
    // Nobody has chosen one: the page stays as it is.
  }
}

for (const form of document.querySelectorAll('form[data-passkey]')) {
  if (!window.PublicKeyCredential || !navigator.credentials) continue;
  form.hidden = false;
  const told = form.querySelector('[data-stopped]');
  form.querySelector('button').addEventListener('click', async () => {
    told.textContent = '';
    if (!form.reportValidity()) return;
    try {
      send(form, await ask(form, {}));
    } catch {
      told.textContent = told.dataset.stopped;
    }
  });
  if (form.dataset.offered !== undefined) offer(form);
}
