class Loop
  LOG = []
  def self.each
    yield 1
    LOG << :never
    yield 2
  ensure
    LOG << :ensured
  end
end
box = Sandbox.safe(ref: [Loop])
same :out, box.eval("Loop.each { |x| break :out }")
same [:ensured], Loop::LOG
same :thrown, box.eval("catch(:t) { Loop.each { |x| throw :t, :thrown } }")
same [:ensured, :ensured], Loop::LOG
same :returned, box.eval("def f = Loop.each { |x| return :returned }\nf")
same 3, box.eval("1 + 2")
raised = raises(Sandbox::Exception) { box.eval("Loop.each { |x| raise 'in block' }") }
same "RuntimeError", raised.class_name
same 3, box.eval("1 + 2")
found = catch(:up) { box.eval("Loop.each { |x| 1 }"); :done }
same :done, found
