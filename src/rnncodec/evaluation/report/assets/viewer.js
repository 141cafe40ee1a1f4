// The viewer: two pictures of one image under a divider, and a slider through the iterations.

if (byId("viewer")) {
  const index = readJson("viewer-data");
  const ORIGINAL = "original";
  const divider = byId("divider");
  const scroller = byId("scroller");
  const state = { image: null, pictures: new Map(), split: 0.5, ticket: 0, timer: null };

  // Which file of a codec stands beside iteration k of the first model: the largest that is not
  // larger; if there is none, its smallest, which the caption then says.
  function bestOf(name, k) {
    const pictures = state.image.sides[name];
    if (name === index.reference) return { ...pictures[k], over: 0 };
    const limit = state.image.sides[index.reference][k].size;
    const fitting = pictures.filter((file) => file.size <= limit);
    if (fitting.length) return { ...fitting[fitting.length - 1], over: 0 };
    return { ...pictures[0], over: pictures[0].size / limit };
  }

  function pictureOf(type, data) {
    if (!state.pictures.has(data)) state.pictures.set(data, loadPicture(type, data));
    return state.pictures.get(data);
  }

  async function show() {
    const ticket = (state.ticket += 1);
    const k = Number(byId("iteration").value) - 1;
    const image = state.image;
    const mode = chosen("show");
    byId("iteration-value").textContent = `${k + 1} of ${byId("iteration").max}`;
    byId("scale").hidden = mode !== "error";
    const original = await pictureOf(image.media_type, image.data);
    for (const side of ["left", "right"]) {
      const name = byId(side).value;
      const file = name === ORIGINAL ? null : bestOf(name, k);
      let picture = original;
      try {
        if (file) picture = await pictureOf(file.media_type, file.data);
      } catch (error) {
        if (!(error instanceof DOMException)) throw error;
        picture = null; // the browser does not know this kind of file
      }
      if (ticket !== state.ticket) return; // something newer was asked for meanwhile
      paint(byId(`${side}-picture`), original, picture, mode);
      byId(`${side}-facts`).replaceChildren(...facts(file, picture));
    }
    place();
    byId("stage").dataset.shown = `${image.image} ${k + 1} ${mode} ${byId("left").value} ${byId("right").value}`;
  }

  function paint(canvas, original, picture, mode) {
    canvas.style.opacity = picture ? 1 : 0;
    if (mode === "error") paintError(canvas, original, picture ?? original);
    else paintPicture(canvas, picture ?? original);
    const zoom = chosen("zoom");
    canvas.style.width = zoom === "fit" ? "" : `${original.naturalWidth * Number(zoom)}px`;
    byId("frame").style.maxWidth = zoom === "fit" ? `max(40rem, ${original.naturalWidth}px)` : ""; // room for the captions
    canvas.parentElement.classList.toggle("zoomed", zoom !== "fit");
  }

  function facts(file, picture) {
    if (!file) return [`${whole(state.image.width)} × ${whole(state.image.height)} pixels, uncompressed`];
    const items = [`${file.bpp.toFixed(3)} bpp`];
    if (file.ms_ssim !== null) items.push(`MS-SSIM ${file.ms_ssim.toFixed(4)}`);
    if (file.psnr_rgb !== null) items.push(`PSNR ${file.psnr_rgb.toFixed(2)} dB`);
    const parts = [make("b", {}, `${whole(file.size)} bytes`), ...items.flatMap((item) => [" · ", make("span", {}, item)])];
    if (file.over) parts.splice(1, 0, make("span", { class: "warn" }, `, its smallest: ${file.over.toFixed(1)}×`));
    if (!picture) parts.push(" · ", make("span", { class: "warn" }, "this browser cannot show this kind of file"));
    return parts;
  }

  // The divider stays where it is on the stage, whatever is scrolled beneath it.

  function place() {
    const stage = byId("stage").getBoundingClientRect();
    const canvas = byId("left-picture").getBoundingClientRect();
    const edges = [Math.max(stage.left, canvas.left), Math.min(stage.right, canvas.right)];
    const line = edges[0] + state.split * (edges[1] - edges[0]);
    const percent = Math.round(100 * state.split);
    const cut = (100 * Math.max(0, canvas.right - line)) / canvas.width;
    byId("left-picture").style.clipPath = `inset(0 ${cut}% 0 0)`; // in percent, so that it prints
    divider.style.left = `${line - stage.left}px`;
    divider.setAttribute("aria-valuenow", percent);
    divider.setAttribute("aria-valuetext", `${percent} % left, ${100 - percent} % right`);
  }

  function moveTo(event) {
    const stage = byId("stage").getBoundingClientRect();
    const canvas = byId("left-picture").getBoundingClientRect();
    const edges = [Math.max(stage.left, canvas.left), Math.min(stage.right, canvas.right)];
    split((event.clientX - edges[0]) / (edges[1] - edges[0]));
  }

  function split(value) {
    state.split = Math.min(1, Math.max(0, value));
    place();
  }

  function nudge(event) {
    const far = event.shiftKey ? 0.1 : 0.02;
    const moves = { ArrowLeft: -far, ArrowDown: -far, ArrowRight: far, ArrowUp: far, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 };
    if (!(event.key in moves)) return;
    event.preventDefault();
    split(state.split + moves[event.key]);
  }

  function drag(handle, wanted) {
    handle.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !wanted(event)) return;
      handle.setPointerCapture(event.pointerId);
      moveTo(event);
    });
    handle.addEventListener("pointermove", (event) => {
      if (handle.hasPointerCapture(event.pointerId)) moveTo(event);
    });
  }

  // Choosing.

  function open(k) {
    stop();
    const names = [byId("left").value, byId("right").value];
    state.image = readJson(`image-${k}`);
    state.pictures = new Map();
    const shown = Object.keys(state.image.sides);
    const entries = [[ORIGINAL, "original"], ...shown.map((name) => [name, name])];
    const slider = byId("iteration");
    slider.max = state.image.sides[index.reference].length;
    ["left", "right"].forEach((side, which) => {
      fill(byId(side), entries);
      const wish = names[which] || (which === 0 ? index.reference : index.beside);
      byId(side).value = wish in state.image.sides ? wish : ORIGINAL;
    });
    show();
  }

  function stop() {
    clearInterval(state.timer);
    state.timer = null;
    byId("play").textContent = "Play";
  }

  function play() {
    if (state.timer) return stop();
    const slider = byId("iteration");
    if (slider.value === slider.max) slider.value = 1;
    byId("play").textContent = "Pause";
    state.timer = setInterval(() => {
      slider.stepUp();
      show();
      if (slider.value === slider.max) stop();
    }, 450);
    return show();
  }

  fill(byId("image"), index.images.map((name, k) => [k, name]));
  byId("iteration").max = index.iterations;
  byId("iteration").value = index.start;
  paintHeatBar(byId("scale-bar"));
  byId("scale-end").textContent = `${ERROR_FULL} and more`;
  byId("scale-note").textContent = "mean absolute error of R, G and B, in levels of 255";
  byId("image").addEventListener("change", () => open(Number(byId("image").value)));
  byId("iteration").addEventListener("input", () => { stop(); show(); });
  byId("play").addEventListener("click", play);
  for (const side of ["left", "right"]) byId(side).addEventListener("change", show);
  onChange(["show", "zoom"], show);
  divider.addEventListener("keydown", nudge);
  drag(divider, () => true);
  // At "fit" the whole picture drags the divider; zoomed in, it scrolls instead.
  drag(scroller, (event) => event.pointerType === "mouse" && chosen("zoom") === "fit");
  scroller.addEventListener("scroll", place);
  new ResizeObserver(place).observe(byId("stage"));
  open(0);
}
