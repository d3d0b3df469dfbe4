// Why the camera is closed, where it is: see no_webcam.html.j2.
export function start({ element }) {
  if (window.isSecureContext) element.remove();
}
