;; Sums what a recursion gives, whose end may save the whole stack and come back: `go` with 1 as its second parameter. Made with
;; `wasm-opt --asyncify -O1 asyncify.wat -o asyncify.wasm` (Binaryen 108).
(module
  (import "asyncify" "start_unwind" (func $start_unwind (param i32)))
  (import "asyncify" "stop_unwind" (func $stop_unwind))
  (import "asyncify" "start_rewind" (func $start_rewind (param i32)))
  (import "asyncify" "stop_rewind" (func $stop_rewind))
  (memory (export "memory") 1)
  (global $saving (mut i32) (i32.const 0))
  (global $pauses (mut i32) (i32.const 0))
  (table funcref (elem $down $flat))
  (type $step (func (param i32 i32) (result i32)))

  ;; Saves the stack, or goes on after it was restored.
  (func $pause
    (if (global.get $saving)
      (then
        (call $stop_rewind)
        (global.set $saving (i32.const 0)))
      (else
        (global.set $saving (i32.const 1))
        (global.set $pauses (i32.add (global.get $pauses) (i32.const 1)))
        (call $start_unwind (i32.const 16)))))

  (func $flat (param $n i32) (param $pausing i32) (result i32)
    (if (local.get $pausing) (then (call $pause)))
    (i32.mul (local.get $n) (i32.const 5)))

  (func $down (param $n i32) (param $pausing i32) (result i32)
    (local $mine i32)
    (local.set $mine (i32.mul (local.get $n) (i32.const 3)))
    (if (result i32) (i32.eqz (local.get $n))
      (then
        (if (local.get $pausing) (then (call $pause)))
        (i32.const 7))
      (else
        (i32.add
          (call_indirect (type $step)
            (i32.sub (local.get $n) (i32.const 1))
            (local.get $pausing)
            (i32.eqz (i32.rem_u (local.get $n) (i32.const 7))))
          (local.get $mine)))))

  ;; An interpreter's loop: three operations, one of which may save the stack.
  (func $interpret (param $n i32) (param $pausing i32) (result i32)
    (local $total i32)
    (block $done
      (loop $next
        (br_if $done (i32.lt_s (local.get $n) (i32.const 0)))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (block $xor
          (block $call
            (block $triple
              (br_table
                0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0
                1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1
                2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2
                0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0
                1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1
                2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2
                0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0
                1 2 0 1 2 0 1 2 0 1 2 0 1 2 0 1
                (i32.add (local.get $n) (i32.const 1))))
            (local.set $total (i32.add (i32.mul (local.get $total) (i32.const 3)) (i32.const 1)))
            (br $next))
          (local.set $total (i32.add (local.get $total) (call $flat (local.get $n) (local.get $pausing))))
          (br $next))
        (local.set $total (i32.xor (local.get $total) (local.get $n)))
        (br $next)))
    (local.get $total))

  (func $sum (param $n i32) (param $pausing i32) (result i32)
    (local $total i32)
    (loop $next
      (local.set $total (i32.add (local.get $total) (call $down (local.get $n) (local.get $pausing))))
      (if (i32.and (local.get $n) (i32.const 1))
        (then (local.set $total (i32.xor (local.get $total) (call $flat (local.get $n) (local.get $pausing)))))
        (else (local.set $total (i32.add (local.get $total) (i32.const 1)))))
      (local.set $total (i32.add (local.get $total) (call $interpret (local.get $n) (local.get $pausing))))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $next (i32.ge_s (local.get $n) (i32.const 0))))
    (local.get $total))

  (func (export "go") (param $n i32) (param $pausing i32) (result i32)
    (local $result i32)
    (i32.store (i32.const 16) (i32.const 24))
    (i32.store (i32.const 20) (i32.const 65536))
    (local.set $result (call $sum (local.get $n) (local.get $pausing)))
    (loop $restore
      (if (global.get $saving)
        (then
          (call $stop_unwind)
          (call $start_rewind (i32.const 16))
          (local.set $result (call $sum (local.get $n) (local.get $pausing)))
          (br $restore))))
    (local.get $result))

  ;; How often the stack was saved.
  (func (export "pauses") (result i32) (global.get $pauses)))
