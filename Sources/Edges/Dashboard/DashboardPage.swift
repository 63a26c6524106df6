/// The page: three files kept in the binary, so that it needs nothing beside it.
///
/// Script and style are served by name and not inline, so that the content policy can forbid
/// everything inline. What comes from the bot is only ever written as text, never as markup; money
/// is shown as the exact text it came as, and turned into a number for pixels alone.
enum DashboardPage {
  static let html = #"""
    <!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="dark light">
    <title>Martlet</title>
    <link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath d='M1 5l7 3 7-5-4 8-3 2-3-2z' fill='%23398ee0'/%3E%3C/svg%3E">
    <link rel="stylesheet" href="/page.css">
    <script src="/page.js" defer></script>
    </head>
    <body>
    <header>
      <h1 id="bot">Martlet</h1>
      <p><span id="market"></span> <span id="mode" class="tag"></span></p>
      <p id="state" class="pill" role="status">loading</p>
      <p id="time" class="dim"></p>
      <ul id="connections" aria-label="Connections"></ul>
      <p id="link" class="dim" role="status">connecting to the bot</p>
    </header>
    <p id="halt" class="halt" role="alert" hidden></p>
    <main>
      <dl id="figures">
        <div class="big"><dt>Price</dt><dd id="last">–</dd><dd id="quotes" class="dim"></dd></div>
        <div class="big"><dt>Equity</dt><dd id="equity">–</dd><dd id="profit"></dd></div>
        <div><dt>Realized</dt><dd id="realized">–</dd><dd class="dim">before fees</dd></div>
        <div><dt>Unrealized</dt><dd id="unrealized">–</dd><dd id="position" class="dim"></dd></div>
        <div><dt>Fees</dt><dd id="fees">–</dd><dd id="fees2" class="dim"></dd></div>
        <div><dt>Max drawdown</dt><dd id="drawdown">–</dd><dd class="dim" id="valuation"></dd></div>
        <div><dt>Fills</dt><dd id="fillcount">–</dd><dd id="ordercount" class="dim"></dd></div>
        <div><dt>Frame to order</dt><dd id="p50">–</dd><dd id="p99" class="dim"></dd></div>
        <div><dt>Dead-man</dt><dd id="deadman">–</dd><dd><span class="bar"><span id="deadbar"></span></span></dd></div>
      </dl>
      <section class="charts" aria-labelledby="h-price">
        <h2 id="h-price">Price, own orders and fills
          <span class="key"><span class="buy">▲ bought</span> <span class="sell">▼ sold</span> <span class="dim">┄ own order</span></span></h2>
        <canvas id="price" role="img" aria-label="Price over time"></canvas>
        <h2>Equity since the start</h2>
        <canvas id="equityline" role="img" aria-label="Equity over time"></canvas>
      </section>
      <section aria-labelledby="h-orders">
        <h2 id="h-orders">Own orders <span id="working" class="dim"></span></h2>
        <div class="scroll tall" tabindex="0" role="region" aria-labelledby="h-orders"><table>
          <thead><tr><th scope="col">Side<th scope="col" class="n">Price<th scope="col" class="n">Quantity<th scope="col" class="n">Filled<th scope="col">State</tr></thead>
          <tbody id="orders"></tbody></table></div>
      </section>
      <section class="wide" aria-labelledby="h-fills">
        <h2 id="h-fills">Fills <span class="dim">newest first, UTC</span></h2>
        <div class="scroll" tabindex="0" role="region" aria-labelledby="h-fills"><table>
          <thead><tr><th scope="col">Time<th scope="col">Side<th scope="col" class="n">Price<th scope="col" class="n">Quantity<th scope="col" class="n">Fee<th scope="col">Role</tr></thead>
          <tbody id="fills"></tbody></table></div>
      </section>
      <section aria-labelledby="h-balances">
        <h2 id="h-balances">Balances</h2>
        <table><thead><tr><th scope="col">Asset<th scope="col" class="n">Available<th scope="col" class="n">In orders</tr></thead>
          <tbody id="balances"></tbody></table>
        <h2 id="h-alerts">Alerts <span class="dim">newest first, UTC</span></h2>
        <div class="scroll" tabindex="0" role="log" aria-labelledby="h-alerts"><table><tbody id="alerts"></tbody></table></div>
      </section>
    </main>
    <footer><p>Journal <code id="journal"></code> <span id="journal_warning" hidden></span></p><p>Exchange <code id="exchange"></code></p><p>Read-only</p></footer>
    </body>
    </html>
    """#

  static let css = #"""
    :root { color-scheme: dark light; --bg: #0b1016; --panel: #131a23; --rule: #243040; --text: #e8eef5;
      --dim: #93a3b8; --buy: #35c493; --sell: #ff7b72; --accent: #6fb3ff; --warn: #e8b84a; }
    @media (prefers-color-scheme: light) { :root { --bg: #f3f5f8; --panel: #ffffff; --rule: #d9e0e8;
      --text: #15202b; --dim: #56657a; --buy: #08795a; --sell: #c22f2f; --accent: #0b62c4; --warn: #875900; } }
    * { box-sizing: border-box; margin: 0; }
    body { background: var(--bg); color: var(--text); padding: 14px; max-width: 1500px; margin: 0 auto;
      font: 14px/1.4 system-ui, sans-serif; font-variant-numeric: tabular-nums; }
    header { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 16px; margin-bottom: 12px; }
    h1 { font-size: 20px; }
    h2 { font-size: 13px; font-weight: 600; margin-bottom: 8px; }
    h2:not(:first-child) { margin-top: 16px; }
    h2 .dim, h2 .key { font-weight: 400; margin-left: 8px; }
    .dim { color: var(--dim); } .buy { color: var(--buy); } .sell { color: var(--sell); } .warn { color: var(--warn); }
    .tag, .pill { border: 1px solid currentColor; border-radius: 999px; padding: 1px 10px; font-size: 12px; }
    .tag { color: var(--dim); } .pill { font-weight: 600; color: var(--warn); }
    .pill[data-state=trading] { color: var(--buy); } .pill[data-state=halted] { color: var(--sell); }
    #connections { display: flex; flex-wrap: wrap; gap: 4px 12px; list-style: none; padding: 0; margin-left: auto; }
    .halt { border: 1px solid var(--sell); color: var(--sell); border-radius: 8px; padding: 8px 12px; margin-bottom: 12px; }
    main { display: grid; grid-template-columns: minmax(0, 2fr) minmax(0, 1fr); gap: 12px; }
    #figures { grid-column: 1 / -1; display: grid; grid-template-columns: 1.4fr 1.4fr 1fr 1fr 1.5fr 1fr 1fr 1fr 1.1fr;
      background: var(--panel); border: 1px solid var(--rule); border-radius: 10px; overflow: hidden; }
    #figures > div { box-shadow: 0 0 0 0.5px var(--rule); padding: 9px 10px; min-width: 0; }
    dt { color: var(--dim); font-size: 12px; white-space: nowrap; }
    dd { font-size: 12px; overflow-wrap: anywhere; }
    dt + dd { font-size: 16px; font-weight: 600; } .big dt + dd { font-size: 20px; }
    section { background: var(--panel); border: 1px solid var(--rule); border-radius: 10px; padding: 12px; min-width: 0; }
    canvas { display: block; width: 100%; height: 330px; }
    #equityline { height: 130px; }
    .scroll { max-height: 250px; overflow: auto; scrollbar-width: thin; scrollbar-color: var(--rule) transparent; }
    .tall { max-height: 540px; }
    .scroll:focus-visible { outline: 2px solid var(--accent); }
    table { border-collapse: collapse; width: 100%; font-size: 13px; }
    th { text-align: left; font-weight: 400; font-size: 12px; color: var(--dim); position: sticky; top: 0; background: var(--panel); }
    th, td { padding: 2px 10px 2px 0; white-space: nowrap; } th.n, td.n { text-align: right; }
    #alerts td:last-child { white-space: normal; }
    tr.market td { border-block: 1px solid var(--rule); color: var(--accent); padding-block: 4px; }
    .bar { display: block; height: 6px; margin-top: 6px; border-radius: 3px; background: var(--rule); overflow: hidden; }
    .bar > span { display: block; height: 100%; width: 0; background: var(--buy); } .bar > .low { background: var(--sell); }
    footer { display: flex; flex-wrap: wrap; gap: 4px 24px; margin-top: 12px; color: var(--dim); font-size: 12px; }
    code { color: var(--text); overflow-wrap: anywhere; }
    @media (max-width: 1100px) { #figures { grid-template-columns: repeat(auto-fit, minmax(132px, 1fr)); } }
    @media (max-width: 860px) { main { grid-template-columns: minmax(0, 1fr); } body { padding: 8px; }
      #connections { margin-left: 0; } canvas { height: 250px; } .key { display: block; margin: 2px 0 0 !important; } }
    @media (max-width: 480px) { #figures { grid-template-columns: 1fr 1fr; } .big { grid-column: 1 / -1; } th, td { padding-right: 6px; font-size: 12px; } }
    """#

  static let script = #"""
    'use strict';
    const at = id => document.getElementById(id);
    // Counted where a test can read it: a page that fails must not look as if it lived.
    const failed = () => { document.documentElement.dataset.errors = 1 + Number(document.documentElement.dataset.errors || 0); };
    for (const kind of ['error', 'unhandledrejection', 'securitypolicyviolation']) addEventListener(kind, failed);

    let state = null, trail = [], fills = new Map(), dirty = false, retryMs = 500, heardAt = 0;

    // MARK: Text. Decimal text in, decimal text out, exact: money never becomes a number to be shown.
    const decimal = (text, places, signed) => {
      if (text == null) return '–';
      const negative = text.startsWith('-');
      const [whole, fraction = ''] = text.replace('-', '').split('.');
      const unit = 10n ** BigInt(20 - places), wide = BigInt(whole + fraction.padEnd(20, '0'));
      let count = wide / unit;
      const rest = 2n * (wide % unit);
      if (rest > unit || rest === unit && count % 2n === 1n) count += 1n;
      const digits = count.toString().padStart(places + 1, '0'), cut = digits.length - places;
      const head = digits.slice(0, cut).replace(/\B(?=(\d{3})+$)/g, ',');
      return (count === 0n ? '' : negative ? '-' : signed ? '+' : '') + head + (places ? '.' + digits.slice(cut) : '');
    };
    const price = text => decimal(text, Math.min(20, state.price_places));
    const clock = ms => new Date(ms).toISOString().slice(11, 23);
    const span = ms => {
      const s = Math.max(0, Math.floor(ms / 1000)), two = n => String(n).padStart(2, '0');
      return (s >= 3600 ? Math.floor(s / 3600) + ':' + two(Math.floor(s / 60) % 60) : Math.floor(s / 60)) + ':' + two(s % 60);
    };
    const tone = text => text == null ? 'dim' : text.startsWith('-') ? 'sell' : /[1-9]/.test(text) ? 'buy' : '';

    // MARK: The document; what did not change is not touched.
    const put = (id, text, tone) => {
      const node = at(id);
      if (node.textContent !== text) node.textContent = text;
      if (tone !== undefined && node.className !== tone) node.className = tone;
    };
    const shown = {};
    const rows = (id, items, cells) => {
      const key = JSON.stringify(items);
      if (shown[id] === key) return;
      shown[id] = key;
      at(id).replaceChildren(...items.map(item => {
        const row = document.createElement('tr');
        if (item.market) row.className = 'market';
        for (const [text, tone = ''] of cells(item)) {
          const cell = row.appendChild(document.createElement('td'));
          cell.textContent = text;
          cell.className = tone;
        }
        return row;
      }));
    };

    const write = () => {
      const s = state, c = s.counts;
      document.title = `${price(s.last ?? s.best_bid)} · ${s.state} · ${s.bot}`;
      put('bot', s.bot);
      put('market', `${s.venue} ${s.market}`);
      put('mode', s.mode);
      put('state', s.state);
      at('state').dataset.state = s.state;
      at('halt').hidden = !s.halt_reason && !s.hold_reason;
      put('halt', s.halt_reason ? `Trading is halted: ${s.halt_reason}.` : s.hold_reason ? `Nothing new is placed: ${s.hold_reason}.` : '');
      put('time', `running ${span(s.now_ms - s.since_ms)}` + (s.ends_ms ? `, ${span(s.ends_ms - s.now_ms)} left` : ''));
      if (shown.connections !== JSON.stringify(s.connections)) {
        shown.connections = JSON.stringify(s.connections);
        at('connections').replaceChildren(...s.connections.map(({ name, state }) => {
          const item = document.createElement('li');
          item.textContent = ({ up: '●', connecting: '◌', down: '○' })[state] + ' ' + name + (state === 'up' ? '' : ` ${state}`);
          item.className = state === 'up' ? 'buy' : state === 'down' ? 'sell' : 'warn';
          return item;
        }));
      }
      put('last', price(s.last ?? s.best_bid));
      put('quotes', s.book_trusted ? `${price(s.best_bid)} · ${price(s.best_ask)}` : 'book not trusted', s.book_trusted ? 'dim' : 'warn');
      put('equity', decimal(s.equity, 2));
      put('profit', `${decimal(s.profit, 4, true)} ${s.valuation}`, tone(s.profit));
      put('realized', decimal(s.realized, 4, true), tone(s.realized));
      put('unrealized', decimal(s.unrealized, 4, true), tone(s.unrealized));
      put('position', `on ${s.position} ${s.base}`);
      const fees = s.fees.map(({ asset, amount }) => [decimal(amount, asset === s.base ? 8 : 4), asset]);
      put('fees', fees[0]?.[0] ?? '0');
      put('fees2', [fees[0]?.[1] ?? '', ...fees.slice(1).map(fee => fee.join(' '))].join(', '));
      put('drawdown', decimal(s.max_drawdown, 4));
      put('valuation', s.valuation);
      put('fillcount', decimal(String(c.fills), 0));
      put('ordercount', `${c.orders_placed} placed, ${c.orders_canceled} canceled`);
      at('ordercount').title = `${c.orders_refused} refused, ${c.doubts} in doubt, ${c.frames} frames read`;
      const latency = s.frame_to_order_us;
      put('p50', latency ? `${latency.p50.toFixed(1)} µs` : '–');
      put('p99', latency ? `p99 ${latency.p99.toFixed(1)} µs` : 'no order yet');
      const left = s.dead_man_left_ms, share = left == null ? 0 : Math.max(0, Math.min(1, left / s.dead_man_timeout_ms));
      put('deadman', left == null ? 'not armed' : `${Math.max(0, Math.floor(left / 1000))} s`, left == null ? 'warn' : '');
      at('deadman').title = s.dead_man_timers.map(t =>
        `${t.market}: ${t.left_ms == null ? 'not armed' : `${Math.max(0, Math.floor(t.left_ms / 1000))} s`}`).join('\n');
      at('deadbar').style.width = `${share * 100}%`;
      at('deadbar').className = share < 0.2 ? 'low' : '';
      put('working', `${s.orders_working} working` + (c.doubts ? `, ${c.doubts} were in doubt` : ''));
      const orders = [...s.orders], middle = orders.findIndex(o => o.side === 'buy');
      orders.splice(middle < 0 ? orders.length : middle, 0, { market: [s.best_bid, s.best_ask] });
      rows('orders', orders, o => o.market
        ? [['market'], [price(o.market[0]), 'n'], [price(o.market[1]), 'n'], [''], ['']]
        : [[o.side, o.side], [price(o.price), 'n'], [o.quantity, 'n'], [o.cumulative, o.cumulative === '0' ? 'n dim' : 'n'],
          [o.state, o.state === 'inDoubt' ? 'warn' : 'dim']]);
      rows('fills', [...s.fills].reverse(), f => [[clock(f.time_ms), 'dim'], [f.side, f.side], [price(f.price), 'n ' + f.side],
        [f.quantity, 'n'], [`${f.fee} ${f.fee_asset}`, 'n'], [f.role, 'dim']]);
      rows('balances', s.balances, b => [[b.asset], [b.available, 'n'], [b.frozen, b.frozen === '0' ? 'n dim' : 'n']]);
      rows('alerts', s.alerts.length ? [...s.alerts].reverse() : [{ none: true }], a => a.none ? [['none', 'dim']]
        : [[clock(a.time_ms), 'dim'], [a.text, ({ warning: 'warn', critical: 'sell' })[a.severity] ?? '']]);
      put('journal', s.journal);
      at('journal_warning').hidden = !s.journal_warning;
      put('journal_warning', s.journal_warning || '');
      put('exchange', s.exchange);
    };

    // MARK: Charts. Numbers here place pixels only.
    const ticks = (low, high, count) => {
      const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
      const step = [1, 2, 5, 10].map(n => n * power).find(n => n >= rough) ?? power * 10;
      const out = [];
      for (let k = Math.ceil(low / step); k * step <= high; k += 1) out.push(k * step);
      return [out, Math.max(0, -Math.floor(Math.log10(step) + 1e-9))];
    };
    const grouped = (value, places) => {
      const [whole, fraction] = value.toFixed(places).split('.');
      return whole.replace(/\B(?=(\d{3})+$)/g, ',') + (fraction ? '.' + fraction : '');
    };

    const plot = (canvas, low, high, least, sign) => {
      const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
      if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
      if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
      const g = canvas.getContext('2d'), style = getComputedStyle(document.documentElement);
      const color = name => style.getPropertyValue('--' + name).trim();
      g.setTransform(ratio, 0, 0, ratio, 0, 0);
      g.clearRect(0, 0, width, height);
      g.font = '11px system-ui, sans-serif';
      const right = width - 76, bottom = height - 18, start = trail[0].t, end = Math.max(trail.at(-1).t, start + 1000);
      // A flat line runs through the middle of a range worth reading.
      const room = Math.max((high - low) * 0.06, (least - (high - low)) / 2);
      low -= room; high += room;
      const x = t => (t - start) / (end - start) * (right - 4), y = v => 8 + (high - v) / (high - low) * (bottom - 14);
      g.strokeStyle = color('rule'); g.fillStyle = color('dim'); g.lineWidth = 1; g.textBaseline = 'middle';
      const [values, places] = ticks(low, high, height / 60);
      for (const value of values) {
        g.beginPath(); g.moveTo(0, Math.round(y(value)) + 0.5); g.lineTo(right, Math.round(y(value)) + 0.5); g.stroke();
        g.fillText((sign && value > 0 ? '+' : '') + grouped(value, places), right + 6, y(value));
      }
      g.textBaseline = 'alphabetic'; g.textAlign = 'center';
      const seconds = (end - start) / 1000, wanted = seconds / (width / 110);
      const step = 1000 * ([1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200].find(s => s >= wanted) ?? 86400 * Math.ceil(wanted / 86400));
      for (let t = Math.ceil(start / step) * step; t <= end; t += step)
        if (x(t) > 26 && x(t) < right - 26) g.fillText(clock(t).slice(0, step < 60000 ? 8 : 5), x(t), height - 4);
      g.textAlign = 'left';
      return { g, x, y, right, bottom, color, low, high };
    };
    const line = (g, points) => {
      g.beginPath();
      let open = false;
      for (const [x, y] of points) {
        if (y == null) { open = false; continue; }
        if (open) g.lineTo(x, y); else g.moveTo(x, y);
        open = true;
      }
      g.stroke();
    };
    const tag = (g, color, text, x, y, ink) => {
      g.clearRect(x, y - 13, 76, 26);
      g.fillStyle = color; g.fillRect(x, y - 8, 72, 16);
      g.fillStyle = ink; g.textBaseline = 'middle'; g.fillText(text, x + 6, y + 0.5);
    };

    const drawPrice = () => {
      const known = trail.filter(p => p.p != null).map(p => p.p);
      if (!known.length) return;
      const orders = state.orders.map(o => ({ ...o, at: Number(o.price) }));
      const marks = [...fills.values()].filter(f => f.t >= trail[0].t);
      // The market's own range, and the two orders a side that it may reach next.
      const near = [...orders.filter(o => o.side === 'sell').slice(-2), ...orders.filter(o => o.side === 'buy').slice(0, 2)];
      const all = [...known, ...near.map(o => o.at), ...marks.map(f => f.at)];
      let low = Infinity, high = -Infinity;
      for (const value of all) { if (value < low) low = value; if (value > high) high = value; }
      const { g, x, y, right, color, ...range } = plot(at('price'), low, high, 10 ** (1 - state.price_places), false);
      const now = known.at(-1);
      let taken = [y(now)];
      g.setLineDash([5, 4]);
      for (const order of orders) {
        if (order.at < range.low || order.at > range.high) continue;
        g.strokeStyle = color(order.side); g.globalAlpha = 0.65;
        line(g, [[0, y(order.at)], [right, y(order.at)]]);
        g.globalAlpha = 1;
      }
      g.setLineDash([]);
      g.strokeStyle = color('accent'); g.lineWidth = 1.6; g.lineJoin = 'round';
      line(g, trail.map(p => [x(p.t), p.p == null ? null : y(p.p)]));
      for (const fill of marks) {
        const up = fill.side === 'buy', cx = Math.max(6, x(fill.t)), cy = y(fill.at), d = up ? 1 : -1;
        g.beginPath(); g.moveTo(cx, cy); g.lineTo(cx - 5, cy + 9 * d); g.lineTo(cx + 5, cy + 9 * d); g.closePath();
        g.fillStyle = color(fill.side); g.strokeStyle = color('panel'); g.lineWidth = 1; g.fill(); g.stroke();
      }
      for (const order of orders) {
        if (order.at < range.low || order.at > range.high || taken.some(t => Math.abs(t - y(order.at)) < 22)) continue;
        taken.push(y(order.at));
        tag(g, color(order.side), price(order.price), right + 2, y(order.at), color('panel'));
      }
      g.beginPath(); g.arc(x(trail.at(-1).t), y(now), 3.5, 0, 7); g.fillStyle = color('accent'); g.fill();
      tag(g, color('accent'), grouped(now, state.price_places), right + 2, y(now), color('panel'));
      at('price').setAttribute('aria-label', `Price ${price(state.last ?? state.best_bid)} ${state.quote}, ` +
        `${state.orders_working} own orders, ${marks.length} fills shown`);
    };

    const drawEquity = () => {
      const known = trail.filter(p => p.e != null);
      if (state.profit == null || !known.length) return;
      const base = Number(state.equity) - Number(state.profit), gains = known.map(p => p.e - base);
      let low = 0, high = 0;
      for (const gain of gains) { if (gain < low) low = gain; if (gain > high) high = gain; }
      const { g, x, y, right, color } = plot(at('equityline'), low, high, 0.01, true);
      const last = gains.at(-1), ink = color(last < 0 ? 'sell' : 'buy'), points = known.map((p, i) => [x(p.t), y(gains[i])]);
      g.globalAlpha = 0.14; g.fillStyle = ink; g.beginPath(); g.moveTo(x(known[0].t), y(0));
      for (const [px, py] of points) g.lineTo(px, py);
      g.lineTo(x(trail.at(-1).t), y(0)); g.fill(); g.globalAlpha = 1;
      g.strokeStyle = color('dim'); g.setLineDash([2, 3]); line(g, [[0, y(0)], [right, y(0)]]); g.setLineDash([]);
      g.strokeStyle = ink; g.lineWidth = 1.6; line(g, points);
      tag(g, ink, decimal(state.profit, 4, true), right + 2, y(last), color('panel'));
      at('equityline').setAttribute('aria-label', `Equity ${decimal(state.equity, 2)} ${state.valuation}, ${decimal(state.profit, 4, true)} since the start`);
    };

    const frame = () => {
      if (!dirty || !state) return;
      dirty = false;
      write();
      if (trail.length) { drawPrice(); drawEquity(); }
    };
    const redraw = () => { if (!dirty) { dirty = true; requestAnimationFrame(frame); } };
    addEventListener('resize', redraw);
    matchMedia('(prefers-color-scheme: light)').addEventListener('change', redraw);

    // MARK: News.
    const take = next => {
      heardAt = performance.now();
      // Another run: nothing of the last one belongs in its chart.
      if (state && state.since_ms !== next.since_ms) { trail = trail.filter(p => p.t >= next.since_ms); fills.clear(); }
      state = next;
      const isTwoSided = next.best_bid != null && next.best_ask != null;
      if (!trail.length || next.now_ms > trail.at(-1).t) trail.push({ t: next.now_ms, e: next.equity == null ? null : Number(next.equity),
        p: isTwoSided ? (Number(next.best_bid) + Number(next.best_ask)) / 2 : null });
      // Bounded as the bot's own trail is: twice as coarse when full.
      if (trail.length > 4000) trail = trail.filter((_, index) => index % 2 !== trail.length % 2);
      for (const f of next.fills) if (!fills.has(f.id)) fills.set(f.id, { t: f.time_ms, side: f.side, at: Number(f.price) });
      while (fills.size > 500) fills.delete(fills.keys().next().value);
      age();
      redraw();
    };
    const get = async path => {
      const reply = await fetch(path, { cache: 'no-store' });
      if (!reply.ok) throw new Error(`${path}: ${reply.status}`);
      return reply.json();
    };
    const connect = async () => {
      try {
        const [past, now] = await Promise.all([get('/trail'), get('/state')]);
        trail = past.map(([t, p, e]) => ({ t, p: p == null ? null : Number(p), e: e == null ? null : Number(e) }));
        if (now) take(now);
      } catch { return again(); }
      const socket = new WebSocket(`ws://${location.host}/ws`);
      socket.onmessage = event => {
        const next = JSON.parse(event.data);  // Null before the bot's first status.
        retryMs = 500;
        if (next) take(next);
      };
      socket.onclose = again;
    };
    const again = () => { setTimeout(connect, retryMs); retryMs = Math.min(5000, retryMs * 2); };
    const age = () => {
      const quiet = Math.floor((performance.now() - heardAt) / 1000);
      put('link', heardAt === 0 ? 'connecting to the bot' : quiet < 3 ? 'live' : `no news for ${span(quiet * 1000)}`,
        heardAt && quiet < 3 ? 'dim' : 'warn');
    };
    setInterval(age, 500);
    connect();
    """#
}
