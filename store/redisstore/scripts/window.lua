-- Functions that read the text of a window, which counts spends in a rolling period. They stand in front of spend.lua and refund.lua,
-- where a window is named by its position in KEYS: some proxies parse scripts and accept a key only in the form KEYS[…].
--
-- A period has sixty slots. A unit counts until the sixtieth slot after its own is over: at least for the period, at most
-- for one slot more. A caller whose clock is behind spends in the newest slot: nothing is forgotten early, as long as clocks
-- agree to within a second.
--
-- A window is a text: the units that count, the newest slot, and the units of each slot before it, as in
-- "7 480013 480002=1 480011=4". The units that no slot names belong to the newest slot, so that most spends change only the
-- first number. Converting numbers in Lua and Redis takes most of a spend's time.
local SLOTS = 61

-- slots returns the slots of a window that still count in the given slot, oldest first, and their units.
local function slots(text, slot)
  local units, newest, before = string.match(text, '^(%d+) (%d+)(.*)$')
  local list, own, sum = {}, tonumber(units), 0
  local function add(at, n)
    if n > 0 and slot - at < SLOTS then
      list[#list + 1], sum = {at = at, units = n}, sum + n
    end
  end
  for at, n in string.gmatch(before, '(%d+)=(%d+)') do
    own = own - tonumber(n)
    add(tonumber(at), tonumber(n))
  end
  add(tonumber(newest), own)
  return list, sum
end

-- join returns the part of a window's text that follows the units.
local function join(list, newest)
  local parts = {'', newest}
  for _, s in ipairs(list) do
    if s.at ~= newest then parts[#parts + 1] = s.at .. '=' .. s.units end
  end
  return table.concat(parts, ' ')
end
