// The page Notifications: two users, each with a stream of their own, as two people would have it in two browsers.

import { clock, make, post, prepend } from "./page.js";

const MAX_NOTIFICATIONS = 8;

function setUp(panel) {
  const { user } = panel.dataset;
  const part = (selector) => panel.querySelector(selector);
  const name = part("h2").textContent;
  const list = part(".feed");
  let unread = 0;

  function showUnread(count) {
    unread = count;
    part(".badge").hidden = count === 0;
    part(".badge").textContent = count;
    const number = count === 0 ? "No" : count;
    part(".bell").setAttribute("aria-label", `${number} new notifications of ${name}; mark all as read`);
  }

  const source = new EventSource(`notifications/events?user=${user}`);
  source.onopen = () => { part(".state").textContent = "connected"; };
  source.onerror = () => {
    part(".state").textContent = source.readyState === EventSource.CLOSED ? "refused" : "reconnecting";
  };
  source.onmessage = ({ data, lastEventId }) => {
    const item = make("li", "", { className: "unread" });
    item.append(make("time", clock(new Date(parseInt(lastEventId, 10)))), ` ${data}`);
    prepend(list, item, MAX_NOTIFICATIONS);
    showUnread(unread + 1);
  };

  part(".bell").addEventListener("click", () => {
    for (const item of list.children) item.className = "";
    showUnread(0);
  });
  part("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const { trouble } = await post(`notifications/send?user=${user}`, part("input").value);
    part("output").textContent = trouble ?? "";
    if (!trouble) part("input").value = "";
  });
}

document.querySelectorAll(".user").forEach(setUp);
