// Asks how the code on this screen stands, and goes on by itself when a phone has answered. Without it the page reloads, and a button goes on.
const screen = document.querySelector('[data-scan]');
const PAUSE_MS = 2000;

async function ask() {
  let state = 'waiting';
  try {
    const answer = await fetch(screen.dataset.stateUrl, { headers: { accept: 'application/json' } });
    state = answer.ok ? (await answer.json()).state : 'expired';
  } catch {
    // The network was away for a moment: the next question comes.
  }
  if (state === 'approved') document.getElementById('scan-finish').requestSubmit();
  else if (state === 'waiting') setTimeout(ask, PAUSE_MS);
  else location.reload();
}

if (screen.dataset.scan === 'waiting') setTimeout(ask, PAUSE_MS);
if (screen.dataset.scan === 'approved') document.getElementById('scan-finish').requestSubmit();
