class Outside
  attr_accessor :value
  LIMIT = 42
  SECRET = Object.new
  def initialize(value = nil) = @value = value
  def each = yield(1) + yield(2)
  def self.make(value) = new(value)
  def self.file = $stdout
  def self.a_proc = proc { 1 }
  def keywords(a, b: 2) = [a, b]
  def ==(other) = other.is_a?(Outside) && other.value == value
  private def hidden = 1
end
class Other; end

box = Sandbox.safe(ref: [Outside])
same "Outside", box.eval("Outside.name")
truth box.eval("Outside.new(3)").is_a?(Outside)
same 3, box.eval("Outside.new(3).value")
same 42, box.eval("Outside::LIMIT")
same 7, box.eval("o = Outside.make(4); o.value = 7; o.value")
same 13, box.eval("o.each { |x| x * 10 - 8.5 }").to_i
same [1, 5], box.eval("o.keywords(1, b: 5)")
same true, box.eval("Outside.new(1) == Outside.new(1)")
same true, box.eval("Outside === o")
same true, box.eval("Sandbox::BoxedClass > Outside")
raises(Sandbox::TransferException) { box.eval("Outside.file") }
raises(Sandbox::TransferException) { box.eval("Outside.a_proc") }
raises(Sandbox::TransferException) { box.eval("Outside::SECRET") }
%w[send(:hidden) instance_eval('1') instance_variable_get(:@value) method(:value) hidden define_singleton_method(:x) class.send(:new)].each do |call|
  raises(Sandbox::Exception) { box.eval("o.#{call}") }
end
raises(Sandbox::TransferException) { box.set(:other, Other.new) }
held = Outside.new(:outer)
box.set(:given, held)
same :outer, box.eval("given.value")
truth box.eval("given").equal?(held)
inner = Sandbox.new.tap { |b| b.eval("class Book; attr_accessor :title; def initialize(t) = @title = t; end") }
book = inner.eval("B = Book.new('Solaris')")
same "Solaris", book.title
book.title = "Fiasco"
same "Fiasco", inner.eval("B.title")
same "Book", book.class.name
same [2, 4], inner.eval("[1, 2]").then { |a| inner.eval("proc { |x| x.map { |i| i * 2 } }").call(a) }
same 30, inner.eval("public def twice = yield(10) + yield(20)\nself").twice { |x| x }

# Nothing of the outside is reached through what was lent.
same true, Sandbox.screen([1, { a: Object.new }])
same true, box.eval("Sandbox.screen([1, 'x'])")
raises(Sandbox::Exception, /ScreenException|not of this sandbox/) { box.eval("Sandbox.screen([o])") }

# Late changes of a class are seen.
def Outside.later = "later"
same "later", box.eval("Outside.later")

# Dropped references are given back.
2000.times { |i| box.eval("Outside.new(#{i}); nil") }
