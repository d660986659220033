//! Cells of different kinds that lend each other objects, and objects of the host's in both: one hatch for all.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use oubliette::{Argument, Call, CellId, Group, GuestError, HostObject, HostResult, Offer, Stop, Task, Value};

/// The image, prepared once and kept in the user's cache.
fn image() -> &'static ruby::Ruby {
    static IMAGE: OnceLock<ruby::Ruby> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let var = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let usual = || ruby::PrepareOptions::default_cache(var("HOME").as_deref(), var("XDG_CACHE_HOME").as_deref());
        let cache = var("OUBLIETTE_CACHE").unwrap_or_else(usual).join("ruby");
        ruby::prepare(&ruby::PrepareOptions::new(cache), &mut |step| eprintln!("preparing Ruby: {}", step.what))
            .expect("Ruby could not be prepared: this test needs npm once, to fetch the official build")
    })
}

/// A script and a page, which may call each other.
struct Pair {
    group: Group,
    script: CellId,
    page: CellId,
}

impl Pair {
    fn new() -> Pair {
        Pair::with_fuel(50_000_000)
    }

    /// With this much for the script, and ten times as much for the page.
    fn with_fuel(fuel: u64) -> Pair {
        let mut group = Group::new();
        let script = group.add(oubliette::javascript().fuel(fuel).build().unwrap().into_inner());
        let page = group.add(oubliette::ruby(image()).fuel(10 * fuel).build().unwrap().into_inner());
        Pair { group, script, page }
    }

    fn run(&mut self, cell: CellId, source: &str) -> Result<Value, GuestError> {
        let task = Task::program(if cell == self.page { "page.rb" } else { "script.js" }, source.as_bytes());
        self.group.get(cell).unwrap().prepare(&task).unwrap();
        let outcome = self.group.run(cell).unwrap();
        match outcome.stop {
            Stop::Finished(0) => Ok(outcome.value.unwrap_or_default().into_value().unwrap()),
            Stop::Raised(error) => Err(error),
            other => panic!("{source}: {other:?}"),
        }
    }

    fn script(&mut self, source: &str) -> Result<Value, GuestError> {
        self.run(self.script, source)
    }

    fn page(&mut self, source: &str) -> Result<Value, GuestError> {
        self.run(self.page, source)
    }
}

fn text(value: &str) -> Value {
    Value::Text(value.into())
}

#[test]
fn ruby_calls_objects_of_javascript() {
    let mut pair = Pair::new();
    pair.script(
        "class Cart {
           lines = []; currency = 'EUR';
           add(name, price) { this.lines.push({name, price}); return this }
           total() { return this.lines.reduce((sum, line) => sum + line.price, 0) }
           each(visit) { for (const line of this.lines) visit(line.name, line.price) }
           fail() { throw new RangeError('sold out') }
         }
         const cart = new Cart();
         function twice(n) { return n * 2 }",
    )
    .unwrap();
    pair.group.lend(pair.script, "cart", pair.page, "Cart").unwrap();
    pair.group.lend(pair.script, "twice", pair.page, "twice").unwrap();
    // Methods, and what they return: themselves, too.
    assert_eq!(pair.page("Cart.add('tea', 3).add('milk', 1.5); Cart.total"), Ok(Value::Float(4.5)));
    // Properties are read and written as Ruby does it.
    assert_eq!(pair.page("Cart.currency = 'JPY'; Cart.currency"), Ok(text("JPY")));
    assert_eq!(pair.script("cart.currency + cart.lines.length"), Ok(text("JPY2")));
    // A function is called, and a block is a function there.
    assert_eq!(pair.page("twice.call(21)"), Ok(Value::from(42)));
    assert_eq!(
        pair.page("seen = []; Cart.each(->(name, price) { seen << \"#{name} #{price}\" }); seen.join(', ')"),
        Ok(text("tea 3, milk 1.5"))
    );
    // Errors cross with name and message, and can be rescued.
    let error = pair.page("Cart.fail").unwrap_err();
    assert!(error.message.contains("sold out"), "{error:?}");
    assert_eq!(pair.page("begin; Cart.fail; rescue => e; e.message; end"), Ok(text("RangeError: sold out")));
    let error = pair.page("Cart.nothing").unwrap_err();
    assert!(error.message.contains("nothing is not a function"), "{error:?}");
}

#[test]
fn javascript_calls_objects_of_ruby() {
    let mut pair = Pair::new();
    pair.page(
        "class Shop
           attr_accessor :name
           def initialize = (@name, @stock = 'corner', {'tea' => 2})
           def take(item)
             raise ArgumentError, \"no #{item}\" unless @stock.fetch(item, 0) > 0
             @stock[item] -= 1
           end
           def each = @stock.each { |item, count| yield item, count }
           def sum(*numbers) = numbers.map { |n| yield n }.sum
         end
         SHOP = Shop.new
         def shout(text) = text.upcase
         nil",
    )
    .unwrap();
    pair.group.lend(pair.page, "SHOP", pair.script, "shop").unwrap();
    pair.group.lend(pair.page, "shout", pair.script, "shout").unwrap();
    pair.group.lend(pair.page, "Shop", pair.script, "Shop").unwrap();
    assert_eq!(pair.script("shop.take('tea') + ' ' + shop.name()"), Ok(text("1 corner")));
    assert_eq!(pair.script("shop.name = 'market'; shop.name()"), Ok(text("market")));
    assert_eq!(pair.page("SHOP.name"), Ok(text("market")));
    assert_eq!(pair.script("shout.call('tea')"), Ok(text("TEA")));
    // A class can be used from the other side.
    assert_eq!(pair.script("const other = Shop.new(); other.take('tea'); other.name()"), Ok(text("corner")));
    // Errors cross with name and message.
    assert_eq!(pair.script("try { shop.take('milk') } catch (e) { e.name + ': ' + e.message }"), Ok(text("ArgumentError: no milk")));
    // What reaches further than an object's methods is refused.
    for hostile in ["shop.instance_eval('1')", "shop.send('system', 'ls')", "Shop.const_get('Object')"] {
        assert!(pair.script(hostile).is_err(), "{hostile}");
    }
}

#[test]
fn references_come_home_as_the_object_itself() {
    let mut pair = Pair::with_fuel(1_000_000_000);
    pair.script(
        "class Box { keep(x) { return x } me() { return this } is(x) { return x === this } }
         const box = new Box();",
    )
    .unwrap();
    pair.group.lend(pair.script, "box", pair.page, "Box").unwrap();
    let home = "thing = Object.new; [Box.keep(thing).equal?(thing), Box.is(Box.me)]";
    assert_eq!(pair.page(home), Ok(Value::List(vec![Value::Bool(true); 2])));
    // Back and forth through both, the chain being a list.
    pair.page("class Ping; def hit(n, other) = n.zero? ? 'done' : other.hit(n - 1, self); end; PING = Ping.new; nil").unwrap();
    pair.group.lend(pair.page, "PING", pair.script, "ping").unwrap();
    pair.script("class Pong { hit(n, other) { return n === 0 ? 'done' : other.hit(n - 1, this) } } const pong = new Pong();").unwrap();
    pair.group.lend(pair.script, "pong", pair.page, "pong").unwrap();
    assert_eq!(pair.script("ping.hit(30, pong)"), Ok(text("done")));
    assert!(pair.script("ping.hit(3000, pong)").unwrap_err().message.contains("deep"));
    assert_eq!(pair.script("ping.hit(7, pong)"), Ok(text("done")));
}

#[test]
fn what_is_handed_over_lives_as_long_as_it_is_held() {
    let mut pair = Pair::new();
    pair.script("let held; class Keeper { keep(x) { held = x } } const keeper = new Keeper();").unwrap();
    pair.group.lend(pair.script, "keeper", pair.page, "keeper").unwrap();
    pair.page("class Thing; def name = 'thing'; end; keeper.keep(Thing.new); GC.start; nil").unwrap();
    assert_eq!(pair.script("held.name()"), Ok(text("thing")));
    assert_eq!(pair.page("$kept = Thing.new; keeper.keep($kept); nil"), Ok(Value::Null));
    assert_eq!(pair.page("keeper.keep($kept); nil"), Ok(Value::Null));
    assert_eq!(pair.script("held.name()"), Ok(text("thing")));
}

/// An object of the host's that both cells are lent.
struct Ledger(Vec<(String, i64)>);

impl HostObject for Ledger {
    fn class(&self) -> &str {
        "Ledger"
    }

    fn call(&mut self, method: &str, call: &mut Call<'_>) -> HostResult {
        match method {
            "put" => {
                let (who, amount) = (call.value(0)?.as_text().unwrap_or_default().to_owned(), call.value(1)?.as_i64().unwrap_or(0));
                self.0.push((who, amount));
                Ok(Argument::default())
            }
            "sum" => Ok(self.0.iter().map(|(_, amount)| amount).sum::<i64>().into()),
            other => Err(GuestError::new("NoMethodError", format!("a ledger has no `{other}`"))),
        }
    }

    fn get(&mut self, property: &str, _call: &mut Call<'_>) -> HostResult {
        match property {
            "length" => Ok((self.0.len() as i64).into()),
            other => Err(GuestError::new("NoSuchProperty", format!("a ledger has no `{other}`"))),
        }
    }

    fn methods(&self) -> Vec<String> {
        vec!["put".into(), "sum".into()]
    }
}

#[test]
fn an_object_of_the_hosts_is_shared_by_both() {
    let mut pair = Pair::new();
    let ledger = Arc::new(Mutex::new(Ledger(Vec::new())));
    for cell in [pair.script, pair.page] {
        pair.group.get(cell).unwrap().offer("ledger", Offer::shared(ledger.clone())).unwrap();
    }
    assert_eq!(pair.script("ledger.put('js', 30); ledger.length"), Ok(Value::from(1)));
    assert_eq!(pair.page("ledger.put('ruby', 12); ledger.sum"), Ok(Value::from(42)));
    assert_eq!(ledger.lock().unwrap().0, [("js".into(), 30), ("ruby".into(), 12)]);
    // A cell hands the other what it was lent.
    pair.script("class Clerk { ledger() { return ledger } } const clerk = new Clerk();").unwrap();
    pair.group.lend(pair.script, "clerk", pair.page, "Clerk").unwrap();
    assert_eq!(pair.page("Clerk.ledger.put('both', 8); Clerk.ledger.sum"), Ok(Value::from(50)));
    assert!(pair.page("ledger.burn").unwrap_err().message.contains("no `burn`"));
}

#[test]
fn a_loop_in_the_other_cell_is_stopped_with_the_callers_fuel() {
    let mut pair = Pair::new();
    pair.script("class Trap { spin() { for (;;); } } const trap = new Trap();").unwrap();
    pair.group.lend(pair.script, "trap", pair.page, "Trap").unwrap();
    // It has less fuel than the page: it ends alone, and the page hears of it.
    let error = pair.page("Trap.spin").unwrap_err();
    assert!(error.message.contains("ended out of fuel"), "{error:?}");
    assert_eq!(pair.page("1 + 1"), Ok(Value::from(2)));
}

#[test]
fn the_example_of_the_documentation() -> Result<(), oubliette::Error> {
    let ruby = image();
    let mut group = Group::new();
    let script = group.add(oubliette::javascript().build()?.into_inner());
    let page = group.add(oubliette::ruby(ruby).build()?.into_inner());
    let run = |group: &mut Group, cell, name: &str, source: &str| {
        group.get(cell).expect("a member").prepare(&Task::program(name, source.as_bytes()))?;
        group.run(cell)
    };
    run(
        &mut group,
        script,
        "cart.js",
        "class Cart { lines = []; add(name, price) { this.lines.push(price); return this } } const cart = new Cart();",
    )?;
    run(&mut group, page, "shop.rb", "class Shop; def stock = 2; end; SHOP = Shop.new; nil")?;
    group.lend(script, "cart", page, "Cart")?;
    group.lend(page, "SHOP", script, "shop")?;
    let lines = run(&mut group, page, "page.rb", "Cart.add('tea', 3).lines")?;
    assert_eq!(lines.value, Some(Value::List(vec![Value::from(3)]).into()), "{:?}", lines.stop);
    let stock = run(&mut group, script, "page.js", "shop.stock() + 1")?;
    assert_eq!(stock.value, Some(Value::from(3).into()), "{:?}", stock.stop);
    Ok(())
}
