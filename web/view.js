/** Pan and zoom of a canvas in its frame: pointer, wheel, pinch and keys. */

const MOST = 32;
const STEP = 40;

export class View {
  constructor(frame, canvas) {
    Object.assign(this, { frame, canvas, scale: 1, x: 0, y: 0, whole: true });
    this.pointers = new Map();
    frame.addEventListener("pointerdown", (event) => this.#down(event));
    frame.addEventListener("pointermove", (event) => this.#move(event));
    for (const kind of ["pointerup", "pointercancel"])
      frame.addEventListener(kind, (event) => this.#up(event));
    frame.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    frame.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => (this.whole ? this.fit() : this.#apply())).observe(frame);
  }

  /** Show all of the picture. */
  fit() {
    const { clientWidth, clientHeight } = this.frame, { width, height } = this.canvas;
    this.whole = true;
    this.scale = Math.min(clientWidth / width, clientHeight / height, 8);
    this.x = (clientWidth - width * this.scale) / 2;
    this.y = (clientHeight - height * this.scale) / 2;
    this.#apply();
  }

  /** Zoom about a point of the frame; its middle if none is given. */
  zoom(factor, x = this.frame.clientWidth / 2, y = this.frame.clientHeight / 2) {
    const least = Math.min(1, this.frame.clientWidth / this.canvas.width, this.frame.clientHeight / this.canvas.height) / 2;
    const scale = Math.max(least, Math.min(MOST, this.scale * factor));
    this.x = x - ((x - this.x) * scale) / this.scale;
    this.y = y - ((y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.whole = false;
    this.#apply();
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.whole = false;
    this.#apply();
  }

  #apply() {
    const { clientWidth, clientHeight } = this.frame;
    const within = (at, size, room) => Math.max(Math.min(room / 2, at), room / 2 - size);
    this.x = within(this.x, this.canvas.width * this.scale, clientWidth);
    this.y = within(this.y, this.canvas.height * this.scale, clientHeight);
    this.canvas.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    this.canvas.classList.toggle("pixels", this.scale >= 2);
    this.frame.dataset.scale = this.scale.toFixed(3);
  }

  #at(event) {
    const box = this.frame.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  #down(event) {
    if (this.canvas.hidden || event.button > 0) return;
    this.frame.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.#at(event));
    this.frame.classList.add("dragging");
  }

  #move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = this.#at(event);
    const others = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    if (others.length === 1) {
      const [other] = others;
      const distance = (a) => Math.max(1, Math.hypot(a.x - other.x, a.y - other.y));
      this.zoom(distance(now) / distance(before), (now.x + other.x) / 2, (now.y + other.y) / 2);
      this.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
    } else if (!others.length) this.pan(now.x - before.x, now.y - before.y);
    this.pointers.set(event.pointerId, now);
  }

  #up(event) {
    this.pointers.delete(event.pointerId);
    if (!this.pointers.size) this.frame.classList.remove("dragging");
  }

  #wheel(event) {
    if (this.canvas.hidden) return;
    event.preventDefault();
    const { x, y } = this.#at(event);
    this.zoom(Math.exp(-Math.max(-60, Math.min(60, event.deltaY)) / 250), x, y);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || this.canvas.hidden) return;
    const actions = {
      ArrowLeft: () => this.pan(STEP, 0),
      ArrowRight: () => this.pan(-STEP, 0),
      ArrowUp: () => this.pan(0, STEP),
      ArrowDown: () => this.pan(0, -STEP),
      "+": () => this.zoom(1.5),
      "=": () => this.zoom(1.5),
      "-": () => this.zoom(1 / 1.5),
      0: () => this.fit(),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  }
}
