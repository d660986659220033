# frozen_string_literal: true

class Pamphlet
  VERSION = "1.0.0"
end
