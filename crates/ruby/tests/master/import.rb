module Helper
  def baz = "baz #{self.class.name.size > 0}"
  def self.add(a, b) = a + b
  def both(x) = yield(x)
  module_function :both
end
class Plain
  def method = :plain
end
box = Sandbox.new
box.import Helper
same 5, box.eval("Helper.add(2, 3)")
same "baz true", box.eval("class Bar; include Helper; end; Bar.new.baz")
same 8, box.eval("Helper.both(4) { |x| x * 2 }")
box.import Plain
same "Plain", box.eval("Plain.name")
box.eval("class Taken; end")
class Taken; end
raises(TypeError) { box.import Taken }
safe = Sandbox.safe(import: [IO, Dir, File])
same [true, true, true], safe.eval("[IO, Dir, File].map { |k| Class === k }")
