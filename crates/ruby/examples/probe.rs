fn main() { ruby::probe::boot(&std::env::args().nth(1).unwrap()); }
