// docs/CLICK-TO-DIAL.md
(() => {
const me = document.currentScript, d = me.dataset, live = new Map(),
base = new URL(me.src).origin + `/Accounts/${d.account}/Applications/${d.application}/ctc/Conversations`,
// Why it ended, by its word.
texts = {
 busy: ['busy', '\u5fd9\u7ebf'],
 cancelled: ['cancelled', '\u5df2\u53d6\u6d88'],
 declined: ['declined', '\u5df2\u62d2\u63a5'],
 failed: ['failed', '\u547c\u53eb\u5931\u8d25'],
 hung_up: ['hung up', '\u5df2\u6302\u65ad'],
 interrupted: ['interrupted', '\u901a\u8bdd\u4e2d\u65ad'],
 no_answer: ['no answer', '\u65e0\u4eba\u63a5\u542c'],
 no_such_number: ['no such number', '\u7a7a\u53f7'],
 not_placed: ['not placed', '\u672a\u80fd\u5916\u547c'],
 time_limit: ['time is up', '\u901a\u8bdd\u65f6\u957f\u5df2\u5230'],
 unreachable: ['cannot be reached', '\u65e0\u6cd5\u63a5\u901a'],
},
yours = ['your phone: ', '\u60a8\u7684\u7535\u8bdd\uff1a'],
json = async a => (await a).json(),
token = async () => d.token || (await json(fetch(d.tokenUrl, {method: 'POST', credentials: 'include'}))).token,
ask = async (path, body) => fetch(base + path, {
...body && {method: 'POST', body: JSON.stringify(body)},
headers: {authorization: 'Bearer ' + await token()}}),
show = (el, state, why = {}) => {
for (const name of ['reason', 'text']) why[name] ? el.dataset[name] = why[name] : delete el.dataset[name];
el.dataset.state = state;
el.dispatchEvent(new CustomEvent('yunling', {bubbles: true, detail: {state, sid: live.get(el), ...why}}));
},
end = (el, state, why) => { show(el, state, why); live.delete(el); };

// byeType and endedBy of the conversation; SIP status and kind of end of the leg that ended it.
function cause(bye, by, code, kind) {
const is = (...codes) => codes.includes(+code),
reason = by === 'api' ? 'cancelled' : by === 'platform' ? 'interrupted' : bye == 5 ? 'time_limit' :
 bye != 0 && bye != 2 ? 'hung_up' : kind === 'refused' ? 'not_placed' :
 is(486, 600) ? 'busy' : is(403, 603) ? 'declined' : is(404, 410, 484, 604) ? 'no_such_number' :
 is(408, 480, 487) ? 'no_answer' : code || /^(no_reply|unreachable|connection_lost)$/.test(kind) ? 'unreachable' : 'failed';
const zh = +/^zh/i.test(d.lang || document.documentElement.lang || navigator.language);
return {reason, by, text: (bye == 0 && by === 'caller' ? yours[zh] : '') + texts[reason][zh]};
}

async function follow(el, sid) {
const legs = {};
try {
 const r = (await ask(`/${sid}/events`)).body.pipeThrough(new TextDecoderStream()).getReader();
 for (let text = '', part, at; !(part = await r.read()).done;)
  for (text += part.value; (at = text.indexOf('\n\n')) >= 0; text = text.slice(at + 2)) {
   const e = JSON.parse((/^data: ?(.*)$/m.exec(text.slice(0, at)) || [,'{}'])[1]);
   if (/^(dial|ring|answ|conn)/.test(e.event)) show(el, (e.event + ' ' + e.callSeq).trim());
   if (e.event === 'ended') legs[e.callSeq] = e.detail.termination;
   if (e.event === 'talk_finished') {
    const {bye_type, by} = e.detail, {sip_code, kind} = legs[by === 'callee' ? 1 : 0] || {};
    return end(el, 'ended', cause(bye_type, by, sip_code, kind));
   }
  }
} catch {}
for (;; await new Promise(f => setTimeout(f, 2e3))) {
 const c = (await json(ask('/' + sid))).conversation;
 if (!c) return end(el, 'ended');
 if (c.state === 'ended') {
  const leg = c.calls.find(leg => leg.callSeq == (c.endedBy === 'callee' ? 1 : 0)) || {};
  return end(el, 'ended', cause(c.byeType, c.endedBy, leg.sipCode, c.hangupReason));
 }
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
