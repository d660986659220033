[
  "a = []; loop { a << 'x' * 1_000_000 }",
  "Array.new(1 << 28, 1)",
  "'x' * (1 << 30)",
  "s = 'x'; loop { s << s }",
  "h = {}; i = 0; loop { h[i += 1] = [i] * 100 }",
  "1 << (1 << 33)",
].each do |code|
  box = Sandbox.new
  error = raises(Sandbox::Exception) { box.eval(code, timeout: 20) }
  truth(Sandbox::MemoryException === error || error.class_name =~ /RangeError|ArgumentError|NoMemoryError/)
  next if box.dead?
  begin
    same 2, box.eval("a = s = h = nil; GC.start; 1 + 1")
  rescue Sandbox::MemoryException
    # Ruby came through, its allocator did not.
    truth box.dead?
  end
end
box = Sandbox.new
same :rescued, box.eval("begin; 'x' * (1 << 29); rescue NoMemoryError; :rescued; end")
same 2, box.eval("1 + 1")
raises(Sandbox::Exception, /SystemStackError/) { box.eval("def r = r()\nr") }
same 2, box.eval("1 + 1")
