//! The hatch as imports: module `oubliette`.
//!
//! * `call(request: i32, length: i32) -> i32`: sends a request (see [`Request`](crate::cellular)) and waits for the answer;
//!   gives the answer's length in bytes.
//! * `take(at: i32)`: copies the answer to the guest's memory.

use crate::state::{Ending, State, exchange};
use std::future::Future;
use wasmtime::{Caller, Linker};

const MODULE: &str = "oubliette";
/// The longest request, in bytes.
const MAX_REQUEST: usize = 64 << 20;

type Pending<'a> = Box<dyn Future<Output = wasmtime::Result<i32>> + Send + 'a>;

fn request(caller: &Caller<'_, State>, at: i32, length: i32) -> wasmtime::Result<Vec<u8>> {
    let (at, length) = (at.cast_unsigned() as usize, length.cast_unsigned() as usize);
    let memory = caller.data().memory.ok_or(Ending::BadCall)?;
    let bytes = memory.data(caller).get(at..).and_then(|rest| rest.get(..length)).ok_or(Ending::BadCall)?;
    if length > MAX_REQUEST {
        return Err(Ending::BadCall.into());
    }
    Ok(bytes.to_vec())
}

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap_async(MODULE, "call", |mut caller: Caller<'_, State>, (at, length): (i32, i32)| -> Pending<'_> {
        Box::new(async move {
            let message = request(&caller, at, length)?;
            caller.data_mut().owe(message.len() as u64);
            let reply = exchange(&mut caller, message).await?;
            let length = i32::try_from(reply.len()).map_err(|_| Ending::BadCall)?;
            caller.data_mut().reply = reply;
            Ok(length)
        })
    })?;
    linker.func_wrap(MODULE, "take", |mut caller: Caller<'_, State>, at: i32| -> wasmtime::Result<()> {
        let reply = std::mem::take(&mut caller.data_mut().reply);
        let memory = caller.data().memory.ok_or(Ending::BadCall)?;
        caller.data_mut().owe(reply.len() as u64);
        memory.write(&mut caller, at.cast_unsigned() as usize, &reply).map_err(|_| Ending::BadCall.into())
    })?;
    Ok(())
}
