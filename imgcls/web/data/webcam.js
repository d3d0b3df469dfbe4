// Collect's camera: on and off, and photos for as long as its button is held.
const BURST_MS = 250;   // between two photos while the button is held
const WIDTH = 640;      // pixels that are asked of the camera

export class Webcam {
  // changed(): it went on or off; tell(sentence, bad); shoot(burst): take a photo, `burst` is the same for all of one hold.
  constructor(find, said, { changed, tell, shoot }) {
    Object.assign(this, { said, changed, tell, shoot, stream: null, burst: null });
    this.video = find('video');
    this.off = find('.collect-off');
    this.frame = find('.collect-camera');
    this.button = find('.collect-on');
    this.take = find('.collect-take');
    this.wire();
  }

  get isOn() { return Boolean(this.stream); }

  get isShowing() { return this.isOn && this.video.videoWidth > 0; }

  wire() {
    this.button.onclick = () => (this.isOn ? this.turnOff() : this.turnOn());
    this.take.onpointerdown = event => { if (!this.take.disabled && !event.button) this.startBurst(); };
    ['pointerup', 'pointerleave', 'pointercancel'].forEach(name => this.take.addEventListener(name, () => this.stopBurst()));
    new ResizeObserver(() => this.leave()).observe(this.frame);
    this.take.onkeydown = event => {
      if ((event.key === 'Enter' || event.key === ' ') && !event.repeat) { event.preventDefault(); this.shoot({}); }
    };
  }

  // Another tab of the lab: nobody is filmed who does not see it.
  leave() { if (this.isOn && !this.frame.getClientRects().length) { this.stopBurst(); this.turnOff(); } }

  startBurst() {
    const burst = {};
    this.shoot(burst);
    this.stopBurst();
    this.burst = setInterval(() => this.shoot(burst), BURST_MS);
  }

  stopBurst() { clearInterval(this.burst); this.burst = null; }

  async turnOn() {
    if (!navigator.mediaDevices) { this.tell(this.said.no_webcam, true); return; }
    this.button.disabled = true;   // two clicks would open two, of which one is never closed
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { width: WIDTH, facingMode: 'environment' }, audio: false });
      this.stream = stream;
      stream.getVideoTracks()[0].onended = () => { if (this.stream === stream) this.unplugged(); };
      this.video.srcObject = stream;
      await this.video.play();
      if (this.stream !== stream) return;   // turned off meanwhile
      this.show(true);
      this.tell('');
      this.changed();
    } catch { this.turnOff(); this.tell(this.said.no_camera, true); }
    finally { this.button.disabled = false; }
  }

  turnOff() {
    this.stream?.getTracks().forEach(track => track.stop());
    this.stream = null;
    this.show(false);
    this.changed();
  }

  unplugged() {
    if (!this.isOn) return;
    this.stopBurst();
    this.turnOff();
    this.tell(this.said.camera_gone, true);
  }

  show(on) {
    this.video.hidden = !on;
    this.off.hidden = on;
    this.button.textContent = on ? this.said.camera_off : this.said.camera_on;
  }
}
