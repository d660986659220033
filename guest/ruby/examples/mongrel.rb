# Stands in for the web server.
module Mongrel
  def self.send_out(text) = puts("to the browser: #{text}")
end
