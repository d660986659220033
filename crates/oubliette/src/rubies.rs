//! Ruby from the front door: cells on a prepared image, and the clock that boxes of the Sandbox API need for their timeouts.

use std::sync::Arc;

use cell::{Clock, Error, Limits};

use crate::builder::{Builder, Kind};
use crate::clock::WallClock;

/// What a Ruby cell is made with, besides its limits.
#[derive(Clone, Debug, Default)]
pub struct RubyOptions {
    /// The interpreter, prepared; without one no cell can be built.
    pub image: Option<::ruby::Ruby>,
    /// What its process sees: folders, arguments.
    pub world: ::ruby::World,
}

impl Kind for ::ruby::RubyCell {
    type Options = RubyOptions;

    fn open(options: &Self::Options, _limits: &Limits) -> Result<Self, Error> {
        let image = options.image.as_ref().ok_or_else(|| Error::State("a ruby cell needs Ruby, prepared, and none was given".into()))?;
        Ok(image.engine(options.world.clone()))
    }
}

/// A builder of Ruby cells on a prepared image ([`ruby::prepare`](::ruby::prepare)). [`Ruby::sandbox`](::ruby::Ruby::sandbox) of the same image
/// makes boxes of the Sandbox API instead; boxes of different threads run side by side.
///
/// ```no_run
/// # fn main() -> Result<(), oubliette::Error> {
/// let image = ruby::prepare(&ruby::PrepareOptions::new("/home/me/.cache/oubliette/ruby"), &mut |step| eprintln!("{}", step.what))?;
/// let mut cell = oubliette::ruby(&image).fuel(100_000_000).build()?;
/// let outcome = cell.run(oubliette::Task::program("sum.rb", *b"[1, 2, 3].sum"))?;
/// assert_eq!(outcome.value, Some(oubliette::Value::from(6).into()));
/// # Ok(()) }
/// ```
pub fn ruby(image: &::ruby::Ruby) -> Builder<::ruby::RubyCell> {
    Builder::default().options(RubyOptions { image: Some(image.clone()), ..RubyOptions::default() })
}

/// The one wall clock of this process, for [`ruby::Options::clock`](::ruby::Options::clock).
pub fn wall_clock() -> Arc<dyn Clock> {
    WallClock::shared()
}
