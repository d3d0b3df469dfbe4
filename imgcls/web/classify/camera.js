// The live camera: the next picture goes out when the one before has its answer, and after a pause twice as long as the
// answer took: thirty cameras wait for each other and leave the server time. 'seen' asks; 'began' empties the photo
// meanwhile, 'ended' takes the last answer away.
import { late } from './server_answer.js';

const SIDE = 256;     // pixels: the shorter side of what is sent; networks take 224
const PAUSE = 150;    // ms, at the least

export function start({ element, trigger, props }) {
  const root = element.querySelector('.camera'), video = element.querySelector('video'), said = { ...props };
  const on = element.querySelector('.camera-on'), hold = element.querySelector('.camera-hold'), note = element.querySelector('.camera-said');
  let stream = null, asked = 0, timer = null, first = true;

  function frame(side) {
    const scale = Math.min(1, side / Math.min(video.videoWidth, video.videoHeight)), canvas = document.createElement('canvas');
    canvas.width = Math.max(1, Math.round(video.videoWidth * scale)); canvas.height = Math.max(1, Math.round(video.videoHeight * scale));
    canvas.getContext('2d').drawImage(video, 0, 0, canvas.width, canvas.height);
    return canvas;
  }

  function look() {
    clearTimeout(timer);
    if (!stream) return;
    if (!root.getClientRects().length) { off(); return; }        // another tab of the lab
    if (document.hidden || !video.videoWidth) { timer = setTimeout(look, 500); return; }
    props.value = frame(SIDE).toDataURL('image/jpeg', .85);
    asked = performance.now();
    trigger('seen');
  }
  root.addEventListener('answered', () => {
    if (stream) timer = setTimeout(look, first ? PAUSE : Math.max(PAUSE, 2 * (performance.now() - asked)));
    first = false;   // that one may have waited for the network to be loaded
  });

  function off() {
    clearTimeout(timer);
    if (stream) stream.getTracks().forEach(track => track.stop());
    stream = null;
    late();   // an answer that is still on its way
    show();
  }

  // Unplugged, or taken by the system: its last picture would be asked about for ever.
  function gone() {
    if (!stream) return;
    off();
    note.textContent = said.camera_gone;
    trigger('ended');
  }

  function show() {
    root.classList.toggle('on', !!stream);
    video.hidden = hold.hidden = !stream;
    on.textContent = stream ? said.stop : said.live;
  }

  on.addEventListener('click', async () => {
    note.textContent = '';
    if (stream) { off(); trigger('ended'); return; }
    on.disabled = true;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, facingMode: 'environment' }, audio: false });
      stream.getVideoTracks()[0].onended = gone;
      video.srcObject = stream;
      await video.play();
      show(); trigger('began'); look();
    } catch { off(); note.textContent = said.no_camera; }
    finally { on.disabled = false; }
  });

  // What is before the camera just now becomes the photo: with everything that can be asked about one.
  hold.addEventListener('click', () => frame(Infinity).toBlob(blob => {
    const input = document.querySelector('#photo input[type=file]');
    off();
    if (!input || !blob) { note.textContent = said.no_picture; trigger('ended'); return; }
    const files = new DataTransfer();
    files.items.add(new File([blob], 'camera.jpg', { type: 'image/jpeg' }));
    input.files = files.files;
    input.dispatchEvent(new Event('change', { bubbles: true }));
  }, 'image/jpeg', .92));

  if (!window.isSecureContext) element.remove();   // browsers keep the camera closed there, see no_webcam.html.j2
}
