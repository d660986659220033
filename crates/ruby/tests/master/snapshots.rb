box = Sandbox.new
box.eval("count = 1; def up(n) = n + 1")
frozen = box.snapshot
box.eval("count = 100")
same 1, frozen.spawn.eval("count")
copies = Array.new(5) { frozen.spawn }
copies.each_with_index { |copy, i| copy.eval("count += #{i}") }
same [1, 2, 3, 4, 5], copies.map { |copy| copy.eval("count") }
twin = box.clone
same 101, twin.eval("up(count)")
twin.eval("count = 0")
same 100, box.eval("count")
boxes = Array.new(200) { |i| Sandbox.safe.tap { |b| b.eval("me = #{i}") } }
same (0...200).to_a, boxes.map { |b| b.eval("me") }
