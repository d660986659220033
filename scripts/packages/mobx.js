import { observable, autorun, computed, action, makeAutoObservable, reaction, toJS, runInAction } from 'mobx';
class Store {
  items = [];
  price = 2;
  constructor() {
    makeAutoObservable(this);
  }
  get total() {
    return this.items.length * this.price;
  }
  add(x) {
    this.items.push(x);
  }
}
const s = new Store();
autorun(() => console.log('total', s.total));
s.add('a');
s.add('b');
runInAction(() => {
  s.price = 5;
  s.items.pop();
});
reaction(
  () => s.price,
  (v, p) => console.log('price', p, v),
);
s.price = 7;
console.log(toJS(s.items), toJS(s));
const m = observable.map({ a: 1 });
const c = computed(() => [...m.values()].reduce((x, y) => x + y, 0));
autorun(() => console.log('sum', c.get()));
m.set('b', 4);
m.delete('a');
