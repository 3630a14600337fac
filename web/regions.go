package web

import "strconv"

// Region is one whose mobile numbers are served.
type Region struct {
	Code    string // ISO 3166, such as "HK"
	Calling int    // its country code, such as 852
}

// regionNames are the names of regions in Chinese and English. A region without a name is shown by its code.
var regionNames = map[string][2]string{
	"CN": {"中国大陆", "Mainland China"}, "HK": {"中国香港", "Hong Kong"}, "MO": {"中国澳门", "Macao"}, "TW": {"中国台湾", "Taiwan"},
	"SG": {"新加坡", "Singapore"}, "MY": {"马来西亚", "Malaysia"}, "TH": {"泰国", "Thailand"}, "VN": {"越南", "Vietnam"},
	"ID": {"印度尼西亚", "Indonesia"}, "PH": {"菲律宾", "Philippines"}, "MM": {"缅甸", "Myanmar"}, "KH": {"柬埔寨", "Cambodia"},
	"LA": {"老挝", "Laos"}, "JP": {"日本", "Japan"}, "KR": {"韩国", "South Korea"}, "MN": {"蒙古", "Mongolia"},
	"IN": {"印度", "India"}, "PK": {"巴基斯坦", "Pakistan"}, "KZ": {"哈萨克斯坦", "Kazakhstan"}, "RU": {"俄罗斯", "Russia"},
	"AE": {"阿联酋", "United Arab Emirates"}, "SA": {"沙特阿拉伯", "Saudi Arabia"}, "TR": {"土耳其", "Türkiye"},
	"AU": {"澳大利亚", "Australia"}, "NZ": {"新西兰", "New Zealand"}, "US": {"美国", "United States"}, "CA": {"加拿大", "Canada"},
	"MX": {"墨西哥", "Mexico"}, "BR": {"巴西", "Brazil"}, "GB": {"英国", "United Kingdom"}, "IE": {"爱尔兰", "Ireland"},
	"FR": {"法国", "France"}, "DE": {"德国", "Germany"}, "IT": {"意大利", "Italy"}, "ES": {"西班牙", "Spain"},
	"PT": {"葡萄牙", "Portugal"}, "NL": {"荷兰", "Netherlands"}, "BE": {"比利时", "Belgium"}, "CH": {"瑞士", "Switzerland"},
	"AT": {"奥地利", "Austria"}, "SE": {"瑞典", "Sweden"}, "NO": {"挪威", "Norway"}, "DK": {"丹麦", "Denmark"}, "FI": {"芬兰", "Finland"},
	"PL": {"波兰", "Poland"}, "ZA": {"南非", "South Africa"}, "NG": {"尼日利亚", "Nigeria"}, "EG": {"埃及", "Egypt"},
}

// country is an entry of the choice of countries.
type country struct {
	Code, Label string // such as "+852" and "Hong Kong +852"
	Selected    bool
}

// Countries are the choice beside the number. There is none when one region is served.
func (v view) Countries() []country {
	if len(v.Regions) < 2 {
		return nil
	}
	list := make([]country, len(v.Regions))
	for i, region := range v.Regions {
		code := "+" + strconv.Itoa(region.Calling)
		list[i] = country{Code: code, Label: v.regionName(region.Code) + " " + code, Selected: v.Form["calling_code"] == code}
	}
	return list
}

func (v view) regionName(code string) string {
	names, ok := regionNames[code]
	switch {
	case !ok:
		return code
	case v.Lang == english:
		return names[1]
	default:
		return names[0]
	}
}

// Abroad reports whether numbers of other regions than the mainland are served.
func (v view) Abroad() bool {
	return len(v.Regions) > 1 || len(v.Regions) == 1 && v.Regions[0].Code != "CN"
}
