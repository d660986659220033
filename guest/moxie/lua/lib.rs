//! No code: `Cargo.toml` beside this names where Lua's C sources come from.
