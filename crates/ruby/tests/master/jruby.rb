# The specs of the same API's extension for JRuby, one for one. Its `activate!`, after which the file system was a fake one, has no
# counterpart: a safe box is safe from the start, and a box's files are only what was mounted.

truth Sandbox.new.instance_of?(Sandbox::Full)
truth Sandbox.safe.instance_of?(Sandbox::Safe)
raises(Sandbox::Exception) { Sandbox.safe.eval("`echo hello`") }
raises(Sandbox::Exception) { Sandbox.new.eval("File.read('/etc/passwd')") }
same true, Sandbox.new.eval("Sandbox.current == Sandbox.current")

# eval with timeout. Sleep passes in no time where there is no clock, and so runs into nothing.
raises(Sandbox::TimeoutError) { Sandbox.safe.eval("while true; end", timeout: 1) }
same 2, Sandbox.safe.eval("1+1", timeout: 1)
box = Sandbox.safe
box.eval("o = Object.new", timeout: 1)
truth box.eval("o", timeout: 1)

# eval
box = Sandbox.new
same "foo", box.eval("1 + 1\n\"foo\".chomp\n\"foo\"\n")
same [], box.eval("ENV.to_a")
box.eval("o = Object.new")
truth !box.eval("o").nil?
same "baz", box.eval('Foo = Struct.new(:foo); struct = Foo.new("baz"); struct.foo')
box = Sandbox.new
box.eval("Foo = Struct.new(:foo); nil")
box.eval('struct = Foo.new("baz"); nil')
same "baz", box.eval("struct.foo")

# communication
Foo = Struct.new(:foo)
box = Sandbox.new(ref: [Foo])
struct = box.eval("struct = Foo.new")
box.eval('struct.foo = "baz"')
same "baz", struct.foo
struct.foo = "other"
same "other", box.eval("struct.foo")
same 1001, box.eval('(0..1000).to_a.inject({}) { |h, i| h[i] = "HELLO WORLD"; h }').size
same "RUBY" * 100, box.eval('"RUBY"*100')

# import
module Outer
  Bar = Module.new do
    def baz = "baz"
    module_function :baz
  end
end
box = Sandbox.new
box.import(Outer::Bar)
same "baz", box.eval("Outer::Bar.baz")
module Included
  def baz = "baz"
end
box.import(Included)
box.eval("class User; include Included; end; nil")
same "baz", box.eval("User.new.baz")
module Functions
  def baz = "baz"
  module_function :baz
end
box.import Functions
same "baz", box.eval("Functions.baz")

# ref
class Changing
  def self.bar = yield
end
box = Sandbox.new
box.ref(Changing)
truth box.eval("Changing.new").is_a?(Changing)
def Changing.foo = "baz"
same "baz", box.eval("Changing.foo")
Changing.class_eval("def Changing.foo; 'class_eval'; end")
same "class_eval", box.eval("Changing.foo")
Changing.instance_eval("def Changing.foo; 'instance_eval'; end")
same "instance_eval", box.eval("Changing.foo")
same "baz", box.eval('Changing.bar { "baz" }')
