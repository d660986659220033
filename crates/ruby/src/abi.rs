//! What CRuby's WebAssembly build imports besides WASI, answered with as little as the hatch needs.
//!
//! The build was made for a JavaScript host. Of its imports one is our door: `to_s` on the object that `JS.global` gave. Ruby
//! leaves its message in a string that it told us of once, calls `to_s`, and gets the answer as a new string, copied from
//! guest memory by Ruby itself, which then frees it: it was allocated there with the module's own allocator. A long answer
//! comes in parts. A second one is a shorter way for calls of offers with plain arguments: `strictly_eql?` on the same object has the host
//! read them where they lie, see [`query`]. Everything read from guest memory is checked like any other guest bytes.

use crate::objects::Objects;
use crate::wire::Wire;
use std::future::Future;
use wasm::wasmtime::{Caller, Linker};
use wasm::{Ending, State, exchange};

const HOST: &str = "rb-js-abi-host";
const CANONICAL: &str = "canonical_abi";

/// The longest message, in bytes.
const MAX_MESSAGE: usize = 64 << 20;

/// Where things lie in the image, and what plain objects look like there, told when it was prepared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Bytes that one part of an answer may have.
    pub(crate) room: u32,
    /// The string that Ruby leaves its messages in.
    pub(crate) outbox: u32,
    /// The object that answers to the entry method.
    pub(crate) receiver: u32,
    /// The entry method.
    pub(crate) entry: u32,
    /// The array that questions lie in.
    pub(crate) query: u32,
    /// The words for nil and true; false is zero.
    pub(crate) nil: u32,
    pub(crate) truth: u32,
    /// The class of strings, and the shapes of those without instance variables: not frozen, and frozen.
    pub(crate) string: u32,
    pub(crate) shape: u32,
    pub(crate) frozen: u32,
    /// Where in a float its value lies.
    pub(crate) float: u32,
}

impl Layout {
    /// Words of a layout as it is kept with the image.
    const WORDS: usize = 11;

    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let Layout { room, outbox, receiver, entry, query, nil, truth, string, shape, frozen, float } = self;
        [room, outbox, receiver, entry, query, nil, truth, string, shape, frozen, float]
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Layout> {
        let (words, []) = bytes.as_chunks::<4>() else { return None };
        let words: [u32; Layout::WORDS] = words.iter().map(|word| u32::from_le_bytes(*word)).collect::<Vec<_>>().try_into().ok()?;
        let [room, outbox, receiver, entry, query, nil, truth, string, shape, frozen, float] = words;
        Some(Layout { room, outbox, receiver, entry, query, nil, truth, string, shape, frozen, float })
    }
}

/// The hatch's side of one box.
#[derive(Debug, Default)]
pub(crate) struct Door {
    pub(crate) layout: Layout,
    /// What Ruby told while the image was prepared.
    pub(crate) wrapped: Vec<u32>,
    /// The part of the last answer that has not been fetched yet.
    pub(crate) rest: Vec<u8>,
    pub(crate) sent: usize,
}

impl Door {
    /// The next part of the answer: at most what fits.
    fn part(&mut self) -> &[u8] {
        let start = self.sent;
        self.sent = self.rest.len().min(start + self.layout.room as usize);
        &self.rest[start..self.sent]
    }

    pub(crate) fn load(&mut self, message: Vec<u8>) {
        (self.rest, self.sent) = (message, 0);
    }
}

/// Reads a Ruby string. The guest may have put anything there: then it gets bytes of its own memory, or ends.
pub(crate) fn read_string(memory: &[u8], object: u32) -> Result<Vec<u8>, Ending> {
    let bytes = crate::objects::string(memory, object).ok_or(Ending::BadCall)?;
    if bytes.len() > MAX_MESSAGE { Err(Ending::BadCall) } else { Ok(bytes.to_vec()) }
}

fn door(state: &mut State) -> Result<&mut Door, Ending> {
    state.extra.downcast_mut().ok_or(Ending::BadCall)
}

/// The door: hands out the rest of the last answer if there is any, else takes Ruby's message and waits for the answer.
async fn knock(caller: &mut Caller<'_, State>, out: u32) -> wasm::wasmtime::Result<()> {
    let memory = caller.data().memory().ok_or(Ending::BadCall)?;
    let state = door(caller.data_mut())?;
    if state.sent == state.rest.len() {
        let outbox = state.layout.outbox;
        let message = read_string(memory.data(&*caller), outbox)?;
        caller.data_mut().owe(message.len() as u64);
        let answer = exchange(caller, message).await?;
        caller.data_mut().owe(answer.len() as u64);
        door(caller.data_mut())?.load(answer);
    }
    let part = door(caller.data_mut())?.part().to_vec();
    let length = i32::try_from(part.len()).map_err(|_| Ending::BadCall)?;
    // Ruby copies the string and gives its bytes back to its allocator, so they must come from there. That is plain C: nothing of Ruby
    // runs in it.
    let allocate = caller.get_export("cabi_realloc").and_then(wasm::wasmtime::Extern::into_func).ok_or(Ending::BadCall)?;
    let allocate = allocate.typed::<(i32, i32, i32, i32), i32>(&*caller)?;
    let buffer = allocate.call_async(&mut *caller, (0, 0, 1, length)).await?;
    let bytes = memory.data_mut(caller);
    let room = bytes.get_mut(buffer.cast_unsigned() as usize..).and_then(|rest| rest.get_mut(..part.len())).ok_or(Ending::BadCall)?;
    room.copy_from_slice(&part);
    let result = bytes.get_mut(out as usize..).and_then(|rest| rest.get_mut(..8)).ok_or(Ending::BadCall)?;
    result[..4].copy_from_slice(&buffer.to_le_bytes());
    result[4..].copy_from_slice(&length.to_le_bytes());
    Ok(())
}

/// What Ruby finds in place of an answer: that the question was not understood, so that it asks at the door; or that the answer is there.
const NOT_TAKEN: i64 = 0;
const AT_THE_DOOR: i64 = 1;

/// A call of an offer, asked where its arguments lie: true with the answer in its place, false when Ruby has to go to the door, either
/// to ask or to fetch the answer.
async fn query(caller: &mut Caller<'_, State>) -> wasm::wasmtime::Result<i32> {
    let memory = caller.data().memory().ok_or(Ending::BadCall)?;
    let layout = door(caller.data_mut())?.layout;
    let objects = Objects { memory: memory.data(&*caller), layout };
    let Some(message) = objects.question() else {
        put_answer(caller, &Wire::Integer(NOT_TAKEN))?;
        return Ok(0);
    };
    caller.data_mut().owe(message.len() as u64);
    let answer = exchange(caller, message).await?;
    caller.data_mut().owe(answer.len() as u64);
    // An answer and nothing to be forgotten: the order, how many fields there are, the field.
    if let [2, order, 1, value @ ..] = &answer[..]
        && i64::from(*order) == crate::member::order::VALUE
        && let Ok(value) = Wire::parse(value)
        && put_answer(caller, &value)?
    {
        return Ok(1);
    }
    door(caller.data_mut())?.load(answer);
    put_answer(caller, &Wire::Integer(AT_THE_DOOR))?;
    Ok(0)
}

/// Puts a value in the place for answers, if it is one that is no object.
fn put_answer(caller: &mut Caller<'_, State>, value: &Wire) -> wasm::wasmtime::Result<bool> {
    let memory = caller.data().memory().ok_or(Ending::BadCall)?;
    let layout = door(caller.data_mut())?.layout;
    let Some(bits) = crate::objects::immediate(value, layout) else { return Ok(false) };
    let place = Objects { memory: memory.data(&*caller), layout }.answer().ok_or(Ending::BadCall)?;
    // No write barrier: what is no object is nothing to the collector.
    memory.write(caller, place, &bits.to_le_bytes()).map_err(|_| Ending::BadCall)?;
    Ok(true)
}

type Pending<'a, T = ()> = Box<dyn Future<Output = wasm::wasmtime::Result<T>> + Send + 'a>;

/// Writes a failed result, whose error is handle 0.
fn fail(caller: &mut Caller<'_, State>, out: i32) -> wasm::wasmtime::Result<()> {
    let memory = caller.data().memory().ok_or(Ending::BadCall)?;
    memory.write(caller, out.cast_unsigned() as usize, &[1, 0, 0, 0, 0, 0, 0, 0]).map_err(|_| Ending::BadCall.into())
}

/// Writes an empty string.
fn empty(caller: &mut Caller<'_, State>, out: i32) -> wasm::wasmtime::Result<()> {
    let memory = caller.data().memory().ok_or(Ending::BadCall)?;
    memory.write(caller, out.cast_unsigned() as usize, &[0; 16]).map_err(|_| Ending::BadCall.into())
}

/// Defines everything that the module imports. There is no JavaScript: what would reach for it gets nothing.
pub(crate) fn link(linker: &mut Linker<State>) -> wasm::wasmtime::Result<()> {
    const RESULT: &str = "variant { success(handle<js-abi-value>), failure(handle<js-abi-value>) }";
    const VALUE: &str = "handle<js-abi-value>";
    linker.func_wrap_async(
        HOST,
        &format!("js-value-to-string: func(value: {VALUE}) -> string"),
        |mut caller: Caller<'_, State>, (_handle, out): (i32, i32)| -> Pending<'_> {
            Box::new(async move {
                knock(&mut caller, out.cast_unsigned()).await?;
                wasm::settle(&mut caller).await
            })
        },
    )?;
    linker.func_wrap_async(
        HOST,
        &format!("js-value-strictly-equal: func(lhs: {VALUE}, rhs: {VALUE}) -> bool"),
        |mut caller: Caller<'_, State>, _: (i32, i32)| -> Pending<'_, i32> {
            Box::new(async move {
                let taken = query(&mut caller).await?;
                wasm::settle(&mut caller).await?;
                Ok(taken)
            })
        },
    )?;
    // Only while the image is prepared does anybody look at what is told here.
    linker.func_wrap(
        HOST,
        &format!("rb-object-to-js-rb-value: func(raw-rb-abi-value: u32) -> {VALUE}"),
        |mut caller: Caller<'_, State>, value: i32| -> wasm::wasmtime::Result<i32> {
            let door = door(caller.data_mut())?;
            if door.wrapped.len() < 16 {
                door.wrapped.push(value.cast_unsigned());
            }
            Ok(0)
        },
    )?;
    linker.func_wrap(HOST, "rb_wasm_throw_prohibit_rewind_exception", |_: i32, _: i32| -> wasm::wasmtime::Result<()> {
        Err(Ending::BadCall.into())
    })?;
    // Handles of Ruby's own values are the values themselves: the host keeps no table of them.
    linker.func_wrap(CANONICAL, "resource_new_rb-abi-value", |value: i32| value)?;
    linker.func_wrap(CANONICAL, "resource_get_rb-abi-value", |handle: i32| handle)?;
    linker.func_wrap(CANONICAL, "resource_drop_js-abi-value", |_: i32| ())?;
    linker.func_wrap(HOST, &format!("global-this: func() -> {VALUE}"), || 0i32)?;
    linker.func_wrap(HOST, &format!("import-js-value-from-host: func() -> {VALUE}"), || 0i32)?;
    linker.func_wrap(HOST, &format!("export-js-value-to-host: func(value: {VALUE}) -> ()"), |_: i32| ())?;
    linker.func_wrap(HOST, &format!("int-to-js-number: func(value: s32) -> {VALUE}"), |_: i32| 0i32)?;
    linker.func_wrap(HOST, &format!("float-to-js-number: func(value: float64) -> {VALUE}"), |_: f64| 0i32)?;
    linker.func_wrap(HOST, &format!("string-to-js-string: func(value: string) -> {VALUE}"), |_: i32, _: i32| 0i32)?;
    linker.func_wrap(HOST, &format!("bool-to-js-bool: func(value: bool) -> {VALUE}"), |_: i32| 0i32)?;
    linker.func_wrap(HOST, &format!("proc-to-js-function: func(value: u32) -> {VALUE}"), |_: i32| 0i32)?;
    linker.func_wrap(HOST, &format!("is-js: func(value: {VALUE}) -> bool"), |_: i32| 0i32)?;
    linker.func_wrap(HOST, &format!("instance-of: func(value: {VALUE}, klass: {VALUE}) -> bool"), |_: i32, _: i32| 0i32)?;
    linker.func_wrap(HOST, &format!("js-value-equal: func(lhs: {VALUE}, rhs: {VALUE}) -> bool"), |_: i32, _: i32| 0i32)?;
    linker.func_wrap(
        HOST,
        &format!("js-value-typeof: func(value: {VALUE}) -> string"),
        |mut caller: Caller<'_, State>, _: i32, out: i32| empty(&mut caller, out),
    )?;
    linker.func_wrap(
        HOST,
        &format!("js-value-to-integer: func(value: {VALUE}) -> variant {{ as-float(float64), bignum(string) }}"),
        |mut caller: Caller<'_, State>, _: i32, out: i32| empty(&mut caller, out),
    )?;
    linker.func_wrap(
        HOST,
        &format!("eval-js: func(code: string) -> {RESULT}"),
        |mut caller: Caller<'_, State>, _: i32, _: i32, out: i32| fail(&mut caller, out),
    )?;
    linker.func_wrap(
        HOST,
        &format!("reflect-apply: func(target: {VALUE}, this-argument: {VALUE}, arguments: list<{VALUE}>) -> {RESULT}"),
        |mut caller: Caller<'_, State>, _: i32, _: i32, _: i32, _: i32, out: i32| fail(&mut caller, out),
    )?;
    linker.func_wrap(
        HOST,
        &format!("reflect-get: func(target: {VALUE}, property-key: string) -> {RESULT}"),
        |mut caller: Caller<'_, State>, _: i32, _: i32, _: i32, out: i32| fail(&mut caller, out),
    )?;
    linker.func_wrap(
        HOST,
        &format!("reflect-set: func(target: {VALUE}, property-key: string, value: {VALUE}) -> {RESULT}"),
        |mut caller: Caller<'_, State>, _: i32, _: i32, _: i32, _: i32, out: i32| fail(&mut caller, out),
    )?;
    Ok(())
}
