// Once loaded, the page works without a network. Every file's name changes with its content, but for the page itself,
// which comes from here and is new the next time.
addEventListener('install', event => event.waitUntil(
  caches.open(NAME).then(cache => cache.addAll(FILES)).then(() => skipWaiting())));
addEventListener('activate', event => event.waitUntil(caches.keys().then(names => Promise.all(
  names.filter(name => name.startsWith('imgcls-') && name !== NAME).map(name => caches.delete(name)))).then(() => clients.claim())));
addEventListener('fetch', event => {
  if (event.request.method !== 'GET') return;
  event.respondWith(caches.match(event.request, { ignoreSearch: true }).then(kept => kept ?? fetch(event.request)));
});
