// Once a second the page asks for itself and takes over what has changed. What the server
// sends is parsed as a document that runs no scripts.
"use strict";
{
  const state = document.getElementById("state"), pause = document.getElementById("pause");
  let paused = false, answered = new Date();

  // Where a proxy's policy forbids to ask, the page is loaded again.
  let reload = false;
  document.addEventListener("securitypolicyviolation", () => { reload = true; });

  const say = (text, bad) => {
    state.textContent = text;
    state.className = bad ? "bad" : "";
    document.body.className = bad ? "old" : "";
  };

  const refresh = async () => {
    if (paused || document.hidden) return;
    if (!getSelection().isCollapsed) return say("waits while text is selected", false);
    try {
      const answer = await fetch(location.href, {cache: "no-store", signal: AbortSignal.timeout(5000)});
      if (!answer.ok) throw new Error(answer.statusText);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const live = page.getElementById("live");
      if (paused) return;
      document.getElementById("live").replaceWith(document.adoptNode(live));
      document.title = live.dataset.title;
      answered = new Date();
      say("live", false);
    } catch {
      if (reload) return location.reload();
      say("no answer since " + answered.toLocaleTimeString() + ": what you see is old", true);
    }
  };

  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "go on" : "pause";
    if (paused) say("paused", false);
  });
  const loop = async () => {
    await refresh();
    setTimeout(loop, 1000);
  };
  setTimeout(loop, 1000);
}
