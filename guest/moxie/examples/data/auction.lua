-- A sealed-bid auction: the highest bid wins and pays the second highest. Rounds and winners are carried in the state.

local highest, second, winner = 0, 0, nil
for line in contract.input("bids"):gmatch("[^\n]+") do
  local name, amount = line:match("^(%a+)%s+(%d+)$")
  if not name then
    print(("not a bid: %q"):format(line))
  else
    amount = tonumber(amount)
    if amount > highest then
      highest, second, winner = amount, highest, name
    elseif amount > second then
      second = amount
    end
  end
end

local rounds, history = 0, ""
local state = contract.state()
if state then
  rounds, history = state:match("^(%d+)\n(.*)$")
end
rounds = tonumber(rounds) + 1
history = history .. ("%d %s %d\n"):format(rounds, winner, second)

print(("round %d: %s wins and pays %d (%.1f%% of the bid)"):format(rounds, winner, second, 100 * second / highest))
print("bids " .. contract.sha256(contract.input("bids")):sub(1, 16))
contract.output(winner .. " " .. second .. "\n")
contract.setstate(rounds .. "\n" .. history)
