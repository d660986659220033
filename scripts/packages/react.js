globalThis.MessageChannel = class {
  constructor() {
    this.port1 = {};
    this.port2 = { postMessage: () => setTimeout(() => this.port1.onmessage?.({}), 0) };
  }
};
const React = require('react');
const { renderToString } = require('react-dom/server.browser');
const C = React.createContext('d');
function A({ n }) {
  const [s] = React.useState(() => n * 2);
  const c = React.useContext(C);
  const m = React.useMemo(() => s + 1, [s]);
  return React.createElement(
    'ul',
    { className: 'q', style: { color: 'red', marginTop: 4 } },
    [1, 2, 3].map((i) => React.createElement('li', { key: i }, i * m, c)),
  );
}
console.log(renderToString(React.createElement(C.Provider, { value: 'v&' }, React.createElement(A, { n: 4 }))));
