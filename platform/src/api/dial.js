// docs/CLICK-TO-DIAL.md
(() => {
const me = document.currentScript, d = me.dataset, live = new Map(),
base = new URL(me.src).origin + `/Accounts/${d.account}/Applications/${d.application}/ctc/Conversations`,
json = async a => (await a).json(),
token = async () => d.token || (await json(fetch(d.tokenUrl, {method: 'POST', credentials: 'include'}))).token,
ask = async (path, body) => fetch(base + path, {
...body && {method: 'POST', body: JSON.stringify(body)},
headers: {authorization: 'Bearer ' + await token()}}),
show = (el, state) => {
el.dataset.state = state;
el.dispatchEvent(new CustomEvent('yunling', {bubbles: true, detail: {state, sid: live.get(el)}}));
},
end = (el, why) => { show(el, why); live.delete(el); };

async function follow(el, sid) {
try {
 const r = (await ask(`/${sid}/events`)).body.pipeThrough(new TextDecoderStream()).getReader();
 for (let text = '', part, at; !(part = await r.read()).done;)
  for (text += part.value; (at = text.indexOf('\n\n')) >= 0; text = text.slice(at + 2)) {
   const e = JSON.parse((/^data: ?(.*)$/m.exec(text.slice(0, at)) || [,'{}'])[1]);
   if (/^(dial|ring|answ|conn)/.test(e.event)) show(el, (e.event + ' ' + e.callSeq).trim());
   if (e.event === 'talk_finished') return end(el, 'ended');
  }
} catch {}
for (;; await new Promise(f => setTimeout(f, 2e3))) {
 const c = (await json(ask('/' + sid))).conversation;
 if (!c || c.state === 'ended') return end(el, 'ended');
 show(el, c.state);
}
}

addEventListener('click', async e => {
const el = e.target.closest('[data-dial]'), sid = live.get(el);
if (!el) return;
e.preventDefault();
if (live.has(el)) return sid && ask('/' + sid, {action: 'cancelCall'});
live.set(el, '');
try {
 show(el, 'calling');
 const a = await json(ask('', {action: 'click2call', caller: el.dataset.caller || d.caller,
  callee: el.dataset.dial, userData: el.dataset.userData}));
 if (!a.conversationSid) return end(el, a.statusMsg);
 live.set(el, a.conversationSid);
 await follow(el, a.conversationSid);
} catch { end(el, 'failed'); }
});
})();
