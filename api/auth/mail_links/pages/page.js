
  const german = navigator.language.toLowerCase().startsWith("de");
  const form = document.querySelector("form");
  const said = document.querySelector("#said");
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  // Out of the address bar and the history, where others may read it.
  history.replaceState(null, "", location.pathname);

  const say = (english, inGerman) => { said.textContent = german ? inGerman : english; };
  const wrongFields = (problem) => (problem.details?.errors ?? []).map((wrong) => wrong.field);

  const complain = async (answer) => {
    const wrong = answer.status === 422 ? wrongFields(await answer.json()) : [];
    if (wrong.includes("newPassword")) {
      say("This password is too short, too long, or too easy to guess.",
        "Dieses Passwort ist zu kurz, zu lang oder zu leicht zu erraten.");
    } else if (answer.status === 422) {
      say("This link is of no use, or no longer. Ask for a new one.",
        "Dieser Link gilt nicht oder nicht mehr. Bitte einen neuen anfordern.");
    } else {
      say("This cannot be done now. Try again in a while.",
        "Das geht gerade nicht. Bitte später noch einmal versuchen.");
    }
  };

  const send = async () => {
    const body = { token, ...Object.fromEntries(new FormData(form)) };
    const answer = await fetch(form.dataset.route, {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
      credentials: "omit", cache: "no-store", referrerPolicy: "no-referrer",
    });
    if (!answer.ok) return complain(answer);
    form.hidden = true;
    say(form.dataset.done, form.dataset.doneDe);
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    send()
      .catch(() => say("The service cannot be reached. Try again.",
        "Der Dienst ist nicht erreichbar. Bitte noch einmal versuchen."))
      .finally(() => { button.disabled = false; });
  });

  if (german) {
    document.documentElement.lang = "de";
    for (const element of document.querySelectorAll("[data-de]")) element.textContent = element.dataset.de;
  }
  if (!token) {
    form.hidden = true;
    say("This link is not whole. Copy all of it from the mail.",
      "Dieser Link ist nicht vollständig. Bitte ganz aus der Mail kopieren.");
  }
