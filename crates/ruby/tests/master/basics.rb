box = Sandbox.new
truth Sandbox::Full === box
same Sandbox::Full, box.class
truth Sandbox::Safe === Sandbox.safe
truth Sandbox::Safe < Sandbox::Full
same 2, box.eval("1 + 1")
same "foo", box.eval("1 + 1\n'foo'.chomp\n'foo'")
box.eval("x = 5; @iv = 6; $gv = 7; C = 8; def m = 9")
same [5, 6, 7, 8, 9], box.eval("[x, @iv, $gv, C, m]")
raises(NameError) { x }
same nil, $gv
truth !Object.const_defined?(:C)
same "baz", box.eval('Foo = Struct.new(:foo); s = Foo.new("baz"); s.foo')
same nil, box.load(Struct.new(:read).new("y = 1"))
same({ 1 => :a, "k" => [1.5, nil, true, 2**80, "ü", "\xff".b] }, box.eval('{ 1 => :a, "k" => [1.5, nil, true, 2**80, "ü", "\xff".b] }'))
same "häß".encode("ISO-8859-1"), box.eval('"häß".encode("ISO-8859-1")')
same 1001, box.eval("(0..1000).to_a.inject({}) { |h, i| h[i] = 'HELLO WORLD'; h }").size
same 100_000 * 4, box.eval('"RUBY" * 100_000').size
same({}, box.options)
same({ timeout: 3 }, Sandbox.new(timeout: 3).options)
box.set(:value, [1, 2]); box.set("@inst", 3); box.set("$glob", 4); box.set("Const", 5)
same [[1, 2], 3, 4, 5], box.eval("[value, @inst, $glob, Const]")
raises(TypeError) { box.ref 0 }
raises(TypeError) { box.import 0 }
same "main", box.main.to_s
same 6, box.main.instance_variable_get(:@iv)
usage = box.usage
truth usage[:fuel] > 0 && usage[:memory] > 0
truth Sandbox::Full === Sandbox.current
same true, box.eval("Sandbox::Full === Sandbox.current")
same true, Sandbox.safe.eval("Sandbox::Safe === Sandbox.current")
same 4, Sandbox.current.eval("2 + 2")
