// The live camera: the next picture goes out when the one before has its answer, and after a pause twice as long as the
// answer took (a second at the most), so that a class of thirty cannot fill the server. 'seen' asks; 'began' empties the
// photo meanwhile.
const root = element.querySelector('.camera'), video = element.querySelector('video'), said = { ...props };
const on = element.querySelector('.camera-on'), hold = element.querySelector('.camera-hold'), note = element.querySelector('.camera-said');
const SIDE = 352;     // pixels: the longer side of what is sent, so that the shorter one is what networks take
const PAUSE = [150, 1000];   // ms, at the least and at the most
let stream = null, asked = 0, timer = null;

function frame() {
  const scale = Math.min(1, SIDE / Math.max(video.videoWidth, video.videoHeight)), canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(video.videoWidth * scale)); canvas.height = Math.max(1, Math.round(video.videoHeight * scale));
  canvas.getContext('2d').drawImage(video, 0, 0, canvas.width, canvas.height);
  return canvas;
}

function look() {
  clearTimeout(timer);
  if (!stream) return;
  if (!root.checkVisibility()) { off(); return; }              // another tab of the lab
  if (document.hidden || !video.videoWidth) { timer = setTimeout(look, 500); return; }
  props.value = frame().toDataURL('image/jpeg', .85);
  asked = performance.now();
  trigger('seen');
}
root.addEventListener('answered', () => {
  if (stream) timer = setTimeout(look, Math.min(PAUSE[1], Math.max(PAUSE[0], 2 * (performance.now() - asked))));
});

function off() {
  clearTimeout(timer);
  if (stream) stream.getTracks().forEach(track => track.stop());
  stream = null;
  window.imgclsDrawn = (window.imgclsDrawn ?? 0) + 1;   // an answer that is still on its way comes too late
  show();
}

function show() {
  root.classList.toggle('on', !!stream);
  video.hidden = hold.hidden = !stream;
  on.textContent = stream ? said.stop : said.live;
  on.setAttribute('aria-pressed', String(!!stream));
}

on.addEventListener('click', async () => {
  note.textContent = '';
  if (stream) { off(); return; }
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, facingMode: 'environment' }, audio: false });
    video.srcObject = stream;
    await video.play();
  } catch (error) { off(); note.textContent = said.no_camera; return; }
  show(); trigger('began'); look();
});

// What is before the camera just now becomes the photo: with everything that can be asked about one.
hold.addEventListener('click', () => frame().toBlob(blob => {
  const input = document.querySelector('#photo input[type=file]');
  off();
  if (!input || !blob) return;
  const files = new DataTransfer();
  files.items.add(new File([blob], 'camera.jpg', { type: 'image/jpeg' }));
  input.files = files.files;
  input.dispatchEvent(new Event('change', { bubbles: true }));
}, 'image/jpeg', .92));

if (!window.isSecureContext) element.remove();   // browsers keep the camera closed there, see views/no_webcam.html.j2
