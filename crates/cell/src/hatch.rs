//! The only opening: the table of things the host offers, and the calls across it.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use crate::reference::{Ref, RefTable};
use crate::value::{Argument, Bounds};
use crate::{Error, GuestError, TransferError};

/// Name of the standard offer of a clock: called with nothing, it answers with nanoseconds since 1970-01-01 UTC, an integer. Engines answer their
/// guests' questions for the time with it, where it is offered.
pub const CLOCK: &str = "clock";
/// Name of the standard offer of random bytes: called with a length, it answers with that many bytes.
pub const RANDOM: &str = "random";

/// A promise of the host's that it has not kept yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ticket(pub u64);

/// What a guest asks of the outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HatchCall {
    /// On what.
    pub target: Target,
    /// What to do with it.
    pub operation: Operation,
    /// With what.
    pub arguments: Vec<Argument>,
    /// A block of the guest's that goes with the call (Ruby).
    pub block: Option<Ref>,
}

/// On what a guest calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// Something offered under a name.
    Offer(String),
    /// Something lent by reference.
    Object(Ref),
}

/// What a call does with its target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Call the target itself.
    Call,
    /// Call a method of it.
    Method(String),
    /// Make an instance of it.
    Construct,
    /// Read a property.
    Get(String),
    /// Write a property; the value is the only argument.
    Set(String),
    /// List the names it answers to, as a list of texts.
    Keys,
    /// The guest has collected its proxy. Never fails, and is answered with null.
    Release,
}

/// The host's answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// The result.
    Return(Argument),
    /// An error to raise in the guest: class name and message.
    Throw(GuestError),
    /// Not ready: the result comes with this ticket. Only for engines whose guests hold promises.
    Later(Ticket),
}

/// What a host function gives back. Any `std::error::Error` becomes a guest exception through `?`.
pub type HostResult = Result<Argument, GuestError>;

impl<E: std::error::Error> From<E> for GuestError {
    fn from(error: E) -> Self {
        let path = std::any::type_name::<E>();
        let path = path.split('<').next().unwrap_or(path);
        Self::new(path.rsplit("::").next().unwrap_or("Error"), error.to_string())
    }
}

/// An object of the host's, lent by reference. It answers to what it implements here, and to nothing else.
pub trait HostObject: Send {
    /// Class name that the guest sees.
    fn class(&self) -> &str;

    /// Calls a method; an empty name calls the object itself.
    ///
    /// # Errors
    /// What the guest gets as an exception.
    fn call(&mut self, method: &str, call: &mut Call<'_>) -> HostResult;

    /// Reads a property.
    ///
    /// # Errors
    /// What the guest gets as an exception; a property that is not there is an error by default.
    fn get(&mut self, property: &str, _call: &mut Call<'_>) -> HostResult {
        Err(GuestError::new("NoSuchProperty", format!("{} has no property `{property}`", self.class())))
    }

    /// Writes a property.
    ///
    /// # Errors
    /// What the guest gets as an exception; read-only by default.
    fn set(&mut self, property: &str, _value: Argument, _call: &mut Call<'_>) -> HostResult {
        Err(GuestError::new("NoSuchProperty", format!("`{property}` of {} cannot be set", self.class())))
    }

    /// Names of methods, for completion and for proxies that must know them.
    fn methods(&self) -> Vec<String> {
        Vec::new()
    }
}

/// One call in progress, as a host function sees it.
pub struct Call<'a> {
    /// The arguments.
    pub arguments: Vec<Argument>,
    /// The guest's block, if it gave one.
    pub block: Option<Ref>,
    pub(crate) guest: &'a mut dyn Guest,
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("arguments", &self.arguments).field("block", &self.block).finish_non_exhaustive()
    }
}

/// What a host function may do with its caller.
pub(crate) trait Guest {
    fn call(&mut self, target: Ref, operation: &Operation, arguments: Vec<Argument>) -> HostResult;
    fn lend(&mut self, offer: Offer) -> HostResult;
    fn keep(&mut self, own: Ref);
}

impl Call<'_> {
    /// The n-th argument as a plain value; null when there is none.
    ///
    /// # Errors
    /// [`TransferError`] when it holds a reference.
    pub fn value(&self, index: usize) -> Result<crate::Value, TransferError> {
        self.arguments.get(index).cloned().unwrap_or_default().into_value()
    }

    /// Calls a function of the guest's, handed out as [`Argument::Own`], within the same meter.
    ///
    /// # Errors
    /// What the guest raised; or, when the guest was stopped, an error that the host function should return: the run ends in any case.
    pub fn call_guest(&mut self, function: Ref, arguments: Vec<Argument>) -> HostResult {
        self.guest.call(function, &Operation::Call, arguments)
    }

    /// Calls a method of an object of the guest's.
    ///
    /// # Errors
    /// As [`call_guest`](Call::call_guest).
    pub fn call_guest_method(&mut self, object: Ref, method: &str, arguments: Vec<Argument>) -> HostResult {
        self.guest.call(object, &Operation::Method(method.to_owned()), arguments)
    }

    /// Calls the guest's block.
    ///
    /// # Errors
    /// As [`call_guest`](Call::call_guest); also when there is no block.
    pub fn yield_to_block(&mut self, arguments: Vec<Argument>) -> HostResult {
        let block = self.block.ok_or_else(|| GuestError::new("LocalJumpError", "no block given"))?;
        self.call_guest(block, arguments)
    }

    /// Lends another object of the host's to the guest; return or pass on what this gives.
    ///
    /// # Errors
    /// When the guest holds too many already.
    pub fn lend(&mut self, offer: impl Into<Offer>) -> HostResult {
        self.guest.lend(offer.into())
    }

    /// Keeps an object of the guest's beyond this call; without it an [`Argument::Own`] dies when the call has been answered. Give it back with
    /// [`Cell::release`](crate::Cell::release).
    pub fn keep(&mut self, own: Ref) {
        self.guest.keep(own);
    }
}

type Function = dyn FnMut(&mut Call<'_>) -> HostResult + Send;
/// The future's function; what the guest hands it is kept until the future is done.
type AsyncFunction = dyn Fn(Vec<Argument>) -> HostFuture + Send + Sync;

/// The future of an asynchronous host function.
pub type HostFuture = Pin<Box<dyn Future<Output = HostResult> + Send>>;

/// Something that the host lends: a function, an object, or a value. Clones lend the same thing.
#[derive(Clone)]
pub struct Offer(pub(crate) Kind);

#[derive(Clone)]
pub(crate) enum Kind {
    Function(Arc<Mutex<Function>>),
    Async(Arc<AsyncFunction>),
    Object(Arc<Mutex<dyn HostObject>>),
    Value(Argument),
    /// An object of another cell of the same group.
    Remote(Arc<crate::group::Remote>),
    /// The name was in a snapshot and nobody has bound it again.
    Unbound,
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Offer({:?})", self.shape())
    }
}

impl<T: HostObject + 'static> From<T> for Offer {
    fn from(object: T) -> Self {
        Self::object(object)
    }
}

impl Offer {
    /// A function.
    pub fn function(function: impl FnMut(&mut Call<'_>) -> HostResult + Send + 'static) -> Self {
        Self(Kind::Function(Arc::new(Mutex::new(function))))
    }

    /// A function whose result may come later.
    pub fn future<F>(function: impl Fn(Vec<Argument>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = HostResult> + Send + 'static,
    {
        Self(Kind::Async(Arc::new(move |arguments| Box::pin(function(arguments)))))
    }

    /// An object.
    pub fn object(object: impl HostObject + 'static) -> Self {
        Self(Kind::Object(Arc::new(Mutex::new(object))))
    }

    /// An object that several cells, or the host itself, share.
    pub fn shared(object: Arc<Mutex<dyn HostObject>>) -> Self {
        Self(Kind::Object(object))
    }

    /// A plain value under a name.
    pub fn value(value: impl Into<crate::Value>) -> Self {
        Self(Kind::Value(Argument::Value(value.into())))
    }

    /// What a guest may know of it.
    pub fn shape(&self) -> Shape {
        match &self.0 {
            Kind::Function(_) => Shape::Function,
            Kind::Async(_) => Shape::AsyncFunction,
            Kind::Object(object) => match object.try_lock() {
                Ok(object) => Shape::Object { class: object.class().to_owned(), methods: object.methods() },
                Err(_) => Shape::Object { class: String::from("Object"), methods: Vec::new() },
            },
            Kind::Value(value) => Shape::Value(value.clone()),
            Kind::Remote(_) => Shape::Object { class: String::from("Object"), methods: Vec::new() },
            Kind::Unbound => Shape::Function,
        }
    }
}

/// What a guest sees of an [`Offer`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Shape {
    /// An ordinary function.
    Function,
    /// A function that returns a promise where guests have promises.
    AsyncFunction,
    /// An object.
    Object {
        /// Its class name.
        class: String,
        /// Names of its methods, as far as it tells.
        methods: Vec<String>,
    },
    /// A copy.
    Value(Argument),
}

/// The table of offers by name, and of objects lent by reference, of one cell.
#[derive(Clone, Debug, Default)]
pub struct Hatch {
    offers: BTreeMap<String, Offer>,
    pub(crate) lent: RefTable<Offer>,
    pub(crate) bounds: Bounds,
}

impl Hatch {
    /// Offers something under a name; the same name again replaces it.
    pub fn offer(&mut self, name: impl Into<String>, offer: impl Into<Offer>) {
        self.offers.insert(name.into(), offer.into());
    }

    /// Offers a function under a name.
    pub fn offer_function(&mut self, name: impl Into<String>, function: impl FnMut(&mut Call<'_>) -> HostResult + Send + 'static) {
        self.offer(name, Offer::function(function));
    }

    /// Names and offers, in order of name.
    pub fn offers(&self) -> impl Iterator<Item = (&str, &Offer)> {
        self.offers.iter().map(|(name, offer)| (name.as_str(), offer))
    }

    /// Marks a name as offered but not bound, as found in a snapshot.
    pub(crate) fn expect(&mut self, name: String) {
        self.offers.entry(name).or_insert(Offer(Kind::Unbound));
    }

    pub(crate) fn find(&self, target: &Target) -> Result<Offer, GuestError> {
        match target {
            Target::Offer(name) => match self.offers.get(name) {
                Some(Offer(Kind::Unbound)) => Err(GuestError::new(
                    "NoSuchOffer",
                    format!("`{name}` was offered when the snapshot was taken and has not been bound again"),
                )),
                Some(offer) => Ok(offer.clone()),
                None => Err(GuestError::new("NoSuchOffer", format!("the host offers nothing called `{name}`"))),
            },
            Target::Object(reference) => self
                .lent
                .get(*reference)
                .cloned()
                .ok_or_else(|| GuestError::new("NoSuchRef", "this reference was released, or never lent to this cell")),
        }
    }

    pub(crate) fn lend(&mut self, offer: Offer) -> HostResult {
        if let Kind::Value(value) = offer.0 {
            return Ok(value);
        }
        self.lent
            .insert(offer)
            .map(Argument::Lent)
            .ok_or_else(|| GuestError::new("TooManyRefs", "this cell holds too many references already"))
    }

    /// Lends an object outside of a call, to pass as an argument.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the cell holds too many already.
    pub fn lend_argument(&mut self, offer: impl Into<Offer>) -> Result<Argument, Error> {
        self.lend(offer.into()).map_err(|error| Error::Invalid(error.message))
    }

    /// Calls a local offer: everything but objects of other cells and futures.
    pub(crate) fn invoke(offer: &Offer, operation: &Operation, call: &mut Call<'_>) -> HostResult {
        let busy = || GuestError::new("Busy", "this function or object of the host's is in the middle of a call already");
        match (&offer.0, operation) {
            (_, Operation::Release) => Ok(Argument::default()),
            (Kind::Function(function), Operation::Call) => (function.try_lock().map_err(|_| busy())?)(call),
            (Kind::Object(object), operation) => {
                let mut object = object.try_lock().map_err(|_| busy())?;
                match operation {
                    Operation::Call | Operation::Release => object.call("", call),
                    Operation::Method(method) => object.call(method, call),
                    Operation::Construct => object.call("new", call),
                    Operation::Get(property) => object.get(property, call),
                    Operation::Set(property) => {
                        let value = call.arguments.pop().unwrap_or_default();
                        object.set(property, value, call)
                    }
                    Operation::Keys => {
                        Ok(Argument::Value(crate::Value::List(object.methods().into_iter().map(crate::Value::Text).collect())))
                    }
                }
            }
            (Kind::Value(value), Operation::Call | Operation::Get(_)) => Ok(value.clone()),
            (Kind::Function(_) | Kind::Async(_) | Kind::Value(_), operation) => {
                Err(GuestError::new("TypeError", format!("this is a {} of the host's: it cannot answer {operation:?}", offer.noun())))
            }
            (Kind::Remote(_), _) => Err(GuestError::new("TypeError", "an object of another cell can be called in its group only")),
            (Kind::Unbound, _) => Err(GuestError::new("NoSuchOffer", "not bound")),
        }
    }
}

impl Offer {
    fn noun(&self) -> &'static str {
        match self.0 {
            Kind::Function(_) | Kind::Async(_) | Kind::Unbound => "function",
            Kind::Object(_) | Kind::Remote(_) => "object",
            Kind::Value(_) => "value",
        }
    }
}
