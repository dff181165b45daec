// Runs before the page is shown: where another request was answered with it, a form for one, it is loaded again from its own address from now on.
const own = document.querySelector('link[rel="canonical"]')?.getAttribute('href');
if (own && own !== location.pathname) history.replaceState(null, '', own);
