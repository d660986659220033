require_relative "inner"
module MiniLib
  def self.add(x, y) = x + y
end
