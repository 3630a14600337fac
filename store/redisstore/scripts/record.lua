-- Functions that read the record of a recipient: the windows of its codes in one key. Six keys for a number that gets one code would take three
-- times the memory and most of the time of the script that stores the code.
--
-- A record is a text: the windows with their names, as in "a255s0 1 480013;b1fftbk1 1 20000".

-- windowsOf returns the windows of a record's text by their names.
local function windowsOf(text)
  local windows = {}
  for name, window in string.gmatch(text, '(%w+) ([^;]+)') do windows[name] = window end
  return windows
end

-- recordOf returns the text of a record.
local function recordOf(windows)
  local parts = {}
  for name, window in pairs(windows) do parts[#parts + 1] = name .. ' ' .. window end
  return table.concat(parts, ';')
end
