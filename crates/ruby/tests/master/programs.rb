# Programs of the kind that boxes are for.

# A template.
page = Sandbox.safe(init: [:real])
page.require "erb"
page.set(:items, [{ "name" => "tea", "price" => 3 }, { "name" => "<cake>", "price" => 4.5 }])
page.eval <<~'RUBY'
  TEMPLATE = ERB.new(<<~HTML, trim_mode: "-")
    <ul>
    <%- items.each do |item| -%>
      <li><%= ERB::Util.html_escape(item["name"]) %>: <%= format("%.2f", item["price"]) %></li>
    <%- end -%>
    </ul>
  HTML
RUBY
same "<ul>\n  <li>tea: 3.00</li>\n  <li>&lt;cake&gt;: 4.50</li>\n</ul>\n", page.eval("TEMPLATE.result(binding)")

# A router with blocks as handlers, in a box; requests come from outside.
app = Sandbox.safe
app.eval <<~'RUBY'
  class App
    Route = Struct.new(:verb, :pattern, :names, :handler)
    def self.routes = @routes ||= []
    %w[get post].each do |verb|
      define_singleton_method(verb) do |path, &handler|
        names = path.scan(/:(\w+)/).flatten
        pattern = Regexp.new("\\A#{Regexp.escape(path).gsub(/:(\w+)/, '(?<\1>[^/]+)')}\\z")
        routes << Route.new(verb.upcase, pattern, names, handler)
      end
    end
    attr_reader :params
    def halt(status, text) = throw(:halt, [status, text])
    def call(verb, path, params = {})
      catch(:halt) do
        self.class.routes.each do |route|
          next unless route.verb == verb && (found = route.pattern.match(path))
          @params = params.merge(route.names.to_h { |name| [name, found[name]] })
          return [200, instance_exec(*found.captures, &route.handler).to_s]
        end
        [404, "no route for #{verb} #{path}"]
      end
    end
  end
  class Shop < App
    get("/") { "hello" }
    get("/items/:id") { |id| "item #{id} of #{params["id"]}" }
    post("/items/:id/price") { |id| Integer(params["price"], exception: false) ? "#{id} costs #{params["price"]}" : halt(422, "no price") }
  end
RUBY
shop = app.eval("Shop.new")
same [200, "hello"], shop.call("GET", "/")
same [200, "item 7 of 7"], shop.call("GET", "/items/7")
same [200, "7 costs 30"], shop.call("POST", "/items/7/price", { "price" => "30" })
same [422, "no price"], shop.call("POST", "/items/7/price", { "price" => "much" })
same [404, "no route for GET /nowhere"], shop.call("GET", "/nowhere")

# A gem in pure Ruby, from a folder that was mounted: found with the load path of the main Ruby, and loaded into the box.
$LOAD_PATH.unshift("/app/pamphlet-1.0.0/lib")
writer = Sandbox.safe
writer.require "pamphlet"
same "1.0.0", writer.eval("Pamphlet::VERSION")
same "<h1>Title</h1>\n<p>Some <em>text</em>, 1 &lt; 2.</p>\n<ul><li>one</li><li>two</li></ul>\n",
     writer.eval(%q{Pamphlet.new("# Title\n\nSome *text*, 1 < 2.\n\n- one\n- two\n").to_html})
here = Sandbox.new
here.eval("$LOAD_PATH.unshift('/app/pamphlet-1.0.0/lib'); require 'pamphlet'")
same "<p>x</p>\n", here.eval("Pamphlet.new('x').to_html")

# The operations that the original had to write again in Ruby, so that they could be stopped: here the meter lies below them.
["10 ** 10 ** 8", "(1 << 60_000_000).to_s", "'a' * 3_000_000_000", "Array.new(1 << 28)", "format('%999999999d', 1)",
 "('a' * 40 + 'b') =~ /\\A(a|a|aa|(a)\\2)*\\1c/", "begin; loop {}; ensure; loop {}; end", "loop { begin; loop {}; rescue Exception; end }",
 "at_exit { loop {} }; ObjectSpace.define_finalizer(Object.new, proc { loop {} }); loop {}", "def f(x) = f(x) + f(x); f(1)"].each do |source|
  box = Sandbox.new(timeout: 2, fuel: 400_000_000, memory: 80 << 20)
  begin
    box.eval(source)
  rescue Sandbox::Exception => error
    truth !error.message.empty?
  end
end
# Whatever became of them, the next box is well.
same 2, Sandbox.safe.eval("1 + 1")

# What would reach beyond says so.
full = Sandbox.new
{ "system('ls')" => "system", "`ls`" => "command", "spawn('ls')" => "spawn", "exec('ls')" => "exec", "IO.popen('ls')" => "popen",
  "trap('INT') {}" => "trap", "Signal.trap('INT') {}" => "trap", "Thread.new {}" => "Thread.new", "Process.kill(9, 1)" => "kill",
  "Process.wait" => "wait", "fork" => "fork" }.each do |source, word|
  error = raises(Sandbox::Exception, /#{word}/) { full.eval(source) }
  same "NotImplementedError", error.class_name
end
same 0, full.eval("sleep 0")
same true, full.eval("GC.start; ObjectSpace.count_objects.size > 3 && Process.clock_gettime(Process::CLOCK_MONOTONIC) >= 0 && caller.is_a?(Array)")

# A Safe box that gets hidden methods back reaches its own memory with them, and nothing else.
safe = Sandbox.safe
raises(Sandbox::Exception) { safe.eval("Object.new.method(:instance_eval).unbind.bind(Object).call { File.read('/etc/passwd') }") }

# An eval that is repeated is compiled once, and means the same.
box = Sandbox.safe
9.times { same 2, box.eval("1+1") }
raises(Sandbox::Exception, /NameError/) { box.eval("later") }
raises(Sandbox::Exception, /NameError/) { box.eval("later") }
box.eval("later = 5")
9.times { same 5, box.eval("later") }
9.times { |i| same i + 1, box.eval("@count = (@count || 0) + 1") }
box.eval("total = 0")
9.times { box.eval("total += 1") }
same 9, box.eval("total")
9.times { box.eval("fresh = 1") }
same [1, true], box.eval("[fresh, binding.local_variable_defined?(:fresh)]")
9.times do
  error = raises(Sandbox::Exception) { box.eval("[1].each { |x| x.nothing }") }
  same "(sandbox):1:in 'block in <main>'", error.backtrace.first
end
9.times { same :ok, box.eval("begin; raise 'x'; rescue; :ok; end") }
