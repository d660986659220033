# The tests of the first Ruby extension of this name, one for one, where they still mean something: what its authors had commented out is
# left out, and `Sandbox` in a box is there without being imported.

# Plain
same true, Sandbox.current.instance_of?(Sandbox::Full)
s = Sandbox.new
s.eval <<~RUBY
  class Book
    attr_accessor :author, :title
    def initialize(a, t)
      @author, @title = a, t
    end
  end
RUBY
book = s.eval("B = Book.new('Stanislaw Lem', 'The Star Diaries')")
same "Book", book.class.name
class WeirdInherit
  module A; end
end
s.eval("class WeirdInherit < Class.new; end")
raises(TypeError) { s.import WeirdInherit }
class ConstructorTest; end
built = Sandbox.new(import: [ConstructorTest])
same "ConstructorTest", built.eval("ConstructorTest.name")
same nil, s.eval("ConstructorTest.name rescue nil")
shows = Sandbox.new(init: [:load])
truth shows.eval("Kernel.respond_to?(:load, true)")
truth !Sandbox.safe.eval("Kernel.respond_to?(:load, true)")
raises(TypeError) { Sandbox.new.ref 0 }
raises(TypeError) { Sandbox.new.import 0 }

# Scopes
source = "a = {}; 50.times { |i| a[i] = i }; a"
s = Sandbox.new
s.eval(source)
same 1, s.eval("a[1]")
50.times do
  s = Sandbox.new
  s.eval(source)
  same 1, s.eval("a[1]")
end
s = Sandbox.new
50.times do
  s.eval(source)
  same 1, s.eval("a[1]")
end
holder = Struct.new(:sandbox).new
holder.sandbox = Sandbox.new
50.times do
  holder.sandbox.eval(source)
  same 1, holder.sandbox.eval("a[1]")
end
25.times do
  s = Sandbox.new
  2.times do
    s.eval(source)
    same 1, s.eval("a[1]")
  end
end

# Standard library
s = Sandbox.new
s.load("files/minilib.rb")
raises(NameError) { MiniLib.add(1, 2) }
same 3, s.eval("MiniLib.add(1, 2)")
same 3, s.eval("::MiniLib.add(1, 2)")

# References
class TestRefsEmptyClass
  def a_method = :a_method
end
module TestRefsModule
  def self.query(str) = "QUERIED: #{str}"
end
s = Sandbox.safe
s.ref TestRefsEmptyClass
same "TestRefsEmptyClass", s.eval("TestRefsEmptyClass.name")
truth s.eval("TestRefsEmptyClass.superclass == Sandbox::BoxedClass && BoxedClass == Sandbox::BoxedClass")
truth TestRefsEmptyClass.object_id != s.eval("TestRefsEmptyClass.__id__")
same :a_method, s.eval("TestRefsEmptyClass.new.a_method")
s.ref TestRefsModule
same "QUERIED: SELECT * FROM freakyfreaky", s.eval("TestRefsModule.query('SELECT * FROM freakyfreaky')")
same 4, Sandbox.safe(boxes: true).eval('s = Sandbox.new; s.eval "2+2"')

# Import
box = Sandbox.new(import: [IO, Dir, File])
same "/", box.eval("Dir.pwd")
same true, Sandbox.new(init: [:all]).eval("Kernel.respond_to? :caller")

# Timeout
s = Sandbox.safe(timeout: 0.5)
raises(Sandbox::TimeoutError) do
  s.eval <<~RUBY
    endless = proc do
      begin
        loop {}
      ensure
        endless[]
      end
    end
    endless[]
  RUBY
end
s = Sandbox.safe(timeout: 0.5)
raises(Sandbox::Exception) { s.eval("99999999**999999999; loop {}") }

# Exploits
class TestSafeEmptyClass; end
s = Sandbox.safe
k = s.eval("Object.new")
raises(NoMethodError) { Kernel.crack }
same false, s.eval("Kernel.respond_to?(:crack)")
truth !s.eval("eval('Kernel').respond_to?(:fork)")
s.ref TestSafeEmptyClass
s.eval "obj = TestSafeEmptyClass.new"
raises(Sandbox::Exception) { s.eval("File.open('/etc/passwd').read") }
raises(Sandbox::Exception) { s.eval("obj.eval \"File.open('/etc/passwd').read\"") }
same "(sandbox)", s.eval("$0")
/(.)(.)(.)/.match("abc")
same "TEST", s.eval("$TEST = 'TEST'; $TEST")
same "e", s.eval("/(.)(.)(.)/.match('def'); $2")
same "b", $2
same "TEST", s.eval("$TEST")
same "e", s.eval("$2")
raises(Sandbox::Exception) { s.eval("Kernel.fork") }
same :fork, s.eval("begin; Kernel.fork; rescue NameError; :fork; end")
same :fork, s.eval("begin; fork; rescue NameError; :fork; end")
same :NameError, s.eval("begin; File.open('/etc/passwd'); rescue NameError; :NameError; end")
truth !s.eval("$0.class.ancestors.last.respond_to?(:p)")
same :NameError, s.eval("begin; /(.+)/.match('Freaky').instance_eval { open('/etc/passwd') }; rescue NameError; :NameError; end")
same :NameError,
     s.eval("begin; (begin; Regexp.new('('); rescue RegexpError => e; e; end).instance_eval { open('/x') }; rescue NameError; :NameError; end")
