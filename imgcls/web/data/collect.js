// Collect: what is shown follows what the server has kept; nothing is kept here but the draft's token.
const KEPT = 'imgcls-draft';
const SIDE = 1024;    // pixels: the longest side of what is sent
const THUMB = 96;
const BURST = 250;    // ms between two photos while the button is held

export function start({ element, props, server }) {
  const find = name => element.querySelector(name);
  const said = { ...props };
  const video = find('video'), take = find('.collect-take'), on = find('.collect-on'), list = find('.collect-classes');
  const files = find('.collect-drop input'), drop = find('.collect-drop');
  let token = null, classes = [], chosen = null, stream = null, burst = null, waiting = Promise.resolve();

  function tell(text, bad) { const p = find('.collect-said'); p.textContent = text || ''; p.classList.toggle('bad', !!bad); }

  let opened = Promise.resolve();   // until the draft is there, what is asked waits: its answer would sweep a new class away
  async function ask(name, values) {
    let answer = null;
    if (name !== 'collect_open') await opened;
    try { answer = await server[name]({ token, ...values }); } catch { /* the sentence below */ }
    if (!answer) { tell(said.no_answer, true); return null; }
    if (answer.error) { tell(answer.error, true); return null; }
    return answer;
  }

  function show() {
    list.replaceChildren(...classes.map(c => {
      const card = document.createElement('section');
      card.className = 'collect-class' + (c === chosen ? ' chosen' : '');
      card.tabIndex = 0; card.setAttribute('role', 'button'); card.setAttribute('aria-pressed', c === chosen);
      card.title = said.here_go_photos;
      const head = document.createElement('header'), name = document.createElement('strong'), count = document.createElement('span');
      name.textContent = c.name; count.textContent = c.photos.length;
      const gone = document.createElement('button');
      gone.type = 'button'; gone.textContent = '×'; gone.title = said.remove_class; gone.setAttribute('aria-label', said.remove_class + ': ' + c.name);
      gone.onclick = event => { event.stopPropagation(); removeClass(c); };
      head.append(name, count, gone);
      const strip = document.createElement('div');
      strip.className = 'collect-strip';
      c.photos.forEach(([photo, url]) => {
        const button = document.createElement('button'), image = document.createElement('img');
        button.type = 'button'; button.title = said.remove_photo; button.setAttribute('aria-label', said.remove_photo + ' ' + photo);
        image.src = url; image.alt = c.name; button.append(image);
        button.onclick = event => { event.stopPropagation(); removePhoto(c, photo); };
        strip.append(button);
      });
      if (!c.photos.length) { const p = document.createElement('p'); p.textContent = c === chosen ? said.photos_go_here : said.no_photos_yet; strip.append(p); }
      card.append(head, strip);
      const choose = () => { chosen = c; show(); };
      card.onclick = choose;
      card.onkeydown = event => { if (event.target === card && (event.key === 'Enter' || event.key === ' ')) { event.preventDefault(); choose(); } };
      return card;
    }));
    if (!classes.length) { const p = document.createElement('p'); p.className = 'collect-none'; p.textContent = said.two_classes; list.append(p); }
    files.disabled = !chosen; drop.classList.toggle('off', !chosen);
    take.disabled = !chosen || !stream;
    take.textContent = chosen ? said.take + ' · ' + chosen.name : said.take;
    find('.collect-save button').disabled = classes.filter(c => c.photos.length).length < 2;
  }

  async function open() {
    try { token = localStorage.getItem(KEPT); } catch { /* private mode */ }
    let answer = null;
    try { answer = await server.collect_open({ token }); } catch { /* the sentence below */ }
    if (!answer) { tell(said.no_answer, true); return; }   // the token is kept: what it stands for is still there
    if (answer.error) { token = null; answer = await ask('collect_open', {}); }
    if (!answer) return;
    token = answer.token;
    try { localStorage.setItem(KEPT, token); } catch { /* private mode */ }
    classes = answer.classes.map(([name, photos]) => ({ name, photos }));
    chosen = classes[classes.length - 1] || null;
    show();
  }

  async function addClass(name) {
    const answer = await ask('collect_class', { name });
    if (!answer) return;
    chosen = { name: answer.name, photos: [] };
    classes.push(chosen); tell(''); find('.collect-name input').value = ''; show();
  }

  async function removeClass(c) {
    if (c.photos.length && !confirm(said.remove_class + ': ' + c.name + '?')) return;
    if (!await ask('collect_unclass', { name: c.name })) return;
    classes = classes.filter(other => other !== c);
    if (chosen === c) chosen = classes[classes.length - 1] || null;
    tell(''); show();
  }

  async function removePhoto(c, photo) {
    if (!await ask('collect_unphoto', { name: c.name, photo })) return;
    const at = c.photos.findIndex(([other]) => other === photo), gone = c.photos.splice(at, 1)[0];
    tell(said.photo_removed + ' '); show();
    const undo = document.createElement('button');
    undo.type = 'button'; undo.className = 'collect-undo'; undo.textContent = said.undo;
    undo.onclick = async () => {
      if (!await ask('collect_restore', { name: c.name, photo })) return;
      if (!classes.includes(c)) { c.photos = []; classes.push(c); }   // its class was deleted meanwhile
      c.photos.splice(Math.min(at, c.photos.length), 0, gone); tell(''); show();
    };
    find('.collect-said').append(undo);
  }

  function drawn(source, width, height, side) {
    const scale = Math.min(1, side / Math.max(width, height)), canvas = document.createElement('canvas');
    canvas.width = Math.max(1, Math.round(width * scale)); canvas.height = Math.max(1, Math.round(height * scale));
    const context = canvas.getContext('2d');
    context.fillStyle = '#fff'; context.fillRect(0, 0, canvas.width, canvas.height); context.imageSmoothingQuality = 'high';
    context.drawImage(source, 0, 0, canvas.width, canvas.height);
    return canvas.toDataURL('image/jpeg', .9);
  }

  function send(c, image, thumb, held = {}) {   // one after another: the order taken is the order kept
    waiting = waiting.then(async () => {
      const answer = await ask('collect_photo', { name: c.name, image, burst: held.first });
      if (answer && !held.first) held.first = answer.photo;   // what is taken while the button is held is one burst
      if (answer) { c.photos.push([answer.photo, thumb]); tell(''); show(); }
    });
    return waiting;
  }

  async function addFiles(given, c) {
    for (const file of given) {
      try {
        const bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' });
        await send(c, drawn(bitmap, bitmap.width, bitmap.height, SIDE), drawn(bitmap, bitmap.width, bitmap.height, THUMB));
        bitmap.close();
      } catch { tell(said.not_readable.replace('{file}', file.name), true); }
    }
  }

  function shoot(held) {
    if (chosen && stream && video.videoWidth) send(chosen, drawn(video, video.videoWidth, video.videoHeight, 640), drawn(video, video.videoWidth, video.videoHeight, THUMB), held);
  }

  function cameraOff() {
    if (stream) stream.getTracks().forEach(track => track.stop());
    stream = null; video.hidden = true; find('.collect-off').hidden = false; on.textContent = said.camera_on; show();
  }

  on.onclick = async () => {
    if (stream) { cameraOff(); return; }
    if (!navigator.mediaDevices) { tell(said.no_webcam, true); return; }
    on.disabled = true;   // two clicks would open two, of which one is never closed
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, facingMode: 'environment' }, audio: false });
      stream.getVideoTracks()[0].onended = () => { if (stream) { stopBurst(); cameraOff(); tell(said.camera_gone, true); } };
      video.srcObject = stream; await video.play();
      video.hidden = false; find('.collect-off').hidden = true; on.textContent = said.camera_off; tell(''); show();
    } catch { tell(said.no_camera, true); }
    finally { on.disabled = false; }
  };
  const stopBurst = () => { clearInterval(burst); burst = null; };
  take.onpointerdown = event => { if (take.disabled || event.button) return; const held = {}; shoot(held); stopBurst(); burst = setInterval(() => shoot(held), BURST); };
  ['pointerup', 'pointerleave', 'pointercancel'].forEach(name => take.addEventListener(name, stopBurst));
  take.onkeydown = event => { if ((event.key === 'Enter' || event.key === ' ') && !event.repeat) { event.preventDefault(); shoot({}); } };
  let adding = Promise.resolve();
  // To the class that is chosen now: another may be by the time those before them have been sent.
  function add(given) {
    const c = chosen;
    if (c) adding = adding.then(() => addFiles(given, c));
  }
  files.onchange = () => { add([...files.files]); files.value = ''; };
  ['dragenter', 'dragover'].forEach(name => drop.addEventListener(name, event => { event.preventDefault(); drop.classList.add('over'); }));
  ['dragleave', 'drop'].forEach(name => drop.addEventListener(name, event => { event.preventDefault(); drop.classList.remove('over'); }));
  drop.addEventListener('drop', event => add([...event.dataTransfer.files].filter(f => f.type.startsWith('image/'))));
  find('.collect-name').onsubmit = event => { event.preventDefault(); const name = find('.collect-name input').value.trim(); if (name) addClass(name); };
  find('.collect-save').onsubmit = async event => {
    event.preventDefault();
    await adding; await waiting;
    const answer = await ask('collect_save', { name: find('.collect-save input').value });
    if (!answer) return;
    cameraOff(); tell(''); find('.collect-save input').value = '';
    try { localStorage.removeItem(KEPT); } catch { /* private mode */ }
    await open();
    props.value = answer.saved;
  };
  find('.collect-clear').onclick = async () => {
    if (!classes.length || !confirm(said.clear_draft_sure)) return;
    if (await ask('collect_clear', {})) { try { localStorage.removeItem(KEPT); } catch { /* private mode */ } await open(); tell(''); }
  };
  show();
  opened = open();
}
