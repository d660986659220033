[
  "loop {}", "while true; end",
  "begin; loop {}; ensure; $stdout.puts 'ensure ran'; loop {}; end",
  "begin; loop {}; rescue Exception; retry; end",
  "at_exit { puts 'at_exit ran' }; loop {}",
  "def again = (begin; loop {}; rescue Exception; again; end)\nagain",
  "ObjectSpace.define_finalizer(Object.new, proc { loop {} }); GC.start; loop {}",
  "(2**64) ** 10_000_000 ; loop {}",
  '/(a+)+\1$/ =~ "a" * 40 + "b"; loop {}',
  "'%099999999d' % 1 ; loop {}",
  "trap = Fiber.new { loop {} }; trap.resume",
  "a = []; loop { a << a }; loop {}",
].each do |code|
  box = Sandbox.new(output: :keep)
  raises(Sandbox::TimeoutException) { box.eval(code, timeout: 0.2) } rescue raise unless $!.is_a?(Sandbox::MemoryException)
  truth box.dead? || box.eval("1") == 1
  raises(Sandbox::DeadException) { box.eval("1") } if box.dead?
rescue Sandbox::MemoryException
  # Ran out of memory before it ran out of time: as good.
end
box = Sandbox.new
raises(Sandbox::FuelException) { box.eval("loop {}", fuel: 1_000_000) }
truth box.dead?
raises(Sandbox::DeadException) { box.eval("1") }
box = Sandbox.new(timeout: 0.2)
raises(Sandbox::TimeoutError) { box.eval("sleep_forever = loop {}") }
box = Sandbox.new(rollback: true)
box.eval("x = 1")
raises(Sandbox::TimeoutException) { box.eval("x = 2; loop {}", timeout: 0.2) }
same 1, box.eval("x")

# The library's own, which has no thread here to wait in.
box = Sandbox.new
same :late, box.eval("require 'timeout'; begin; Timeout.timeout(0.05) { loop { 1 + 1 } }; rescue Timeout::Error; :late; end")
same [5, 0.5], box.eval("[Timeout.timeout(5) { 5 }, Timeout.timeout(0.5) { |seconds| seconds }]")
same :own, box.eval("begin; Timeout.timeout(0.05, ArgumentError, 'own') { n = 0; n += 1 while true }; rescue ArgumentError => e; e.message.to_sym; end")
same :outer, box.eval("begin; Timeout.timeout(0.05) { begin; loop {}; rescue => e; :swallowed; end }; rescue Timeout::Error; :outer; end")
same 1, box.eval("Timeout.timeout(nil) { 1 }")
