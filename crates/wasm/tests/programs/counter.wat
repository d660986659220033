(module
  ;; A reactor: memory, a global and a hidden counter that `bump` advances.
  (memory (export "memory") 2)
  (global $count (mut i32) (i32.const 0))
  (data (i32.const 1024) "\01\02\03\04")
  (func (export "_initialize") (global.set $count (i32.add (global.get $count) (i32.const 100))))
  (func (export "bump") (param i32) (result i32)
    (global.set $count (i32.add (global.get $count) (local.get 0)))
    (i32.store (i32.const 70000) (global.get $count))
    (i32.load (i32.const 70000)))
  (func (export "peek") (param i32) (result i32) (i32.load8_u (local.get 0)))
  ;; Writes to every page of the memory and then takes more until it is refused.
  (func (export "dirty") (result i32) (local $at i32)
    (loop $again
      (i32.store (local.get $at) (i32.const 1))
      (local.set $at (i32.add (local.get $at) (i32.const 4096)))
      (br_if $again (i32.lt_u (local.get $at) (i32.shl (memory.size) (i32.const 16))))
      (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
    (memory.size)))
