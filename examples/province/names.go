package province

import (
	"fmt"
	"slices"
	"strings"
)

// names of the first firms are made up, and so are the cities in them. Each has
// the code of its industry (GB/T 4754) behind it.
var names = []struct {
	kind  Kind
	lines string
}{
	{Startup, `礁芯微电子 Jiaoxin Microelectronics 3973|汐算智能计算 Xisuan Computing 6513|珊医生物医药 Shanyi Biomedical 2761|屿感传感 Yugan Sensors 4014|
瑚材新材料 Hucai New Materials 3985|螺旋翼航空科技 Luoxuanyi Drones 3963|潟云软件 Xiyun Software 6513|砗能储能 Cheneng Energy Storage 3841|
浪谱仪器 Langpu Spectrum Instruments 4014|贝码数据 Beima Data 6531|鲎检诊断 Houjian Diagnostics 2770|星臂机器人 Xingbi Robotics 3491`},
	{Growing, `礁联物联网 Jiaolian Internet of Things 6531|汐动电机 Xidong Motors 3812|珊包环保包装 Shanbao Packaging 2926|屿农农业科技 Yunong Agritech 0519|
瑚光光电 Huguang Optics 3976|螺泵流体 Luobeng Pumps 3441|潟水环境 Xishui Water Treatment 4620|砗铸精密 Chezhu Precision Casting 3391|
浪运供应链系统 Langyun Logistics Systems 6531|贝织智能纺织 Beizhi Smart Textiles 1761|鲎药制药 Houyao Pharmaceuticals 2720|曦礁软件 Xijiao Software 6513`},
	{Stable, `老礁机械 Laojiao Machinery 3421|汐钢紧固件 Xigang Fasteners 3482|珊塑塑料 Shansu Plastics 2929|屿电电器 Yudian Electric 3823|瑚纸纸业 Huzhi Paper 2221|
螺丰食品 Luofeng Foods 1361|潟化精细化工 Xihua Fine Chemicals 2662|砗瓷陶瓷 Checi Ceramics 3074|浪船海洋装备 Langchuan Marine Equipment 3734|贝仪仪表 Beiyi Instruments 4011`},
	{Troubled, `沉礁显示 Chenjiao Display 3974|退汐光伏 Tuixi Solar 3825|白珊电子 Baishan Electronics 3989|孤屿科贸 Guyu Technology Trading 5179|枯瑚生物 Kuhu Biotech 2761|
空螺智能装备 Kongluo Intelligent Equipment 3490|浅潟材料 Qianxi Materials 3985`},
	{Shell, `浮标信息 Fubiao Information 6550|幻贝供应链 Huanbei Supply Chain 7224`},
	{Partial, `新屿设计 Xinyu Design 7492|游礁咨询 Youjiao Consulting 7244|夜汐传媒 Yexi Media 8626|远珊研究 Yuanshan Research 7320`},
	{Repeated, `叠浪数字 Dielang Digital 6513`},
	{Outdated, `旧潮工具 Jiuchao Tools 3322|慢波声学 Manbo Acoustics 3963`},
}

var cities = []struct{ code, chinese, english string }{
	{"990100", "环礁市", "Ring Reef"}, {"990200", "潟湖市", "Lagoon"}, {"990300", "北屿市", "North Islet"}, {"990400", "南屿市", "South Islet"},
}

// Names of the other firms are a stem, an ending and a trade.
var (
	stems   = strings.Fields("汐 Xi 屿 Yu 瑚 Hu 潟 Xie 砗 Che 浪 Lang 贝 Bei 鲎 Hou 珊 Shan 螺 Luo 礁 Jiao 潮 Chao 澜 Lan 湾 Wan 帆 Fan 舟 Zhou 泊 Bo 沙 Sha 鸥 Ou 鲸 Jing")
	endings = strings.Fields("源 yuan 达 da 和 he 启 qi 泽 ze 科 ke 晶 jing 宏 hong 泰 tai 瑞 rui 恒 heng 创 chuang 盛 sheng 通 tong 力 li 美 mei 佳 jia 昌 chang 兴 xing 华 hua 腾 teng 凯 kai 德 de")
)

// trade is what firms do.
type trade struct {
	chinese, english, industry string
	dirty                      bool // needs a permit to discharge
	season                     bool // sells by the season
	abroad                     int  // thousandths of sales that are usually exported
}

var trades = []trade{
	{"软件", "Software", "6513", false, false, 20},
	{"数据", "Data", "6531", false, false, 0},
	{"精密机械", "Precision Machinery", "3421", false, false, 180},
	{"食品", "Foods", "1361", true, true, 120},
	{"电子", "Electronics", "3989", false, false, 350},
	{"化工", "Chemicals", "2662", true, false, 150},
	{"物流", "Logistics", "5920", false, false, 0},
	{"服装", "Garments", "1811", false, true, 450},
	{"新材料", "New Materials", "3985", true, false, 120},
	{"农业科技", "Agritech", "0519", false, true, 0},
	{"生物医药", "Biomedical", "2761", true, false, 60},
	{"电镀", "Plating", "3360", true, false, 40},
	{"家具", "Furniture", "2110", true, false, 400},
	{"仪器", "Instruments", "4014", false, false, 150},
	{"商贸", "Trading", "5179", false, true, 250},
	{"造纸", "Paper", "2221", true, false, 30},
	{"咨询", "Consulting", "7244", false, false, 0},
}

// tradeOf returns the trade of one of the first firms.
func tradeOf(industry string) trade {
	for _, t := range trades {
		if t.industry == industry {
			return t
		}
	}
	t := trade{industry: industry, dirty: slices.Contains([]string{"22", "26", "33"}, industry[:2])}
	if industry < "6" { // these make things
		t.abroad = 100
	}
	return t
}

// named gives one of the first firms its names and its code.
func (f *firm) named(line string) {
	words := strings.Fields(line)
	city := cities[f.number%len(cities)]
	f.chinese = city.chinese + words[0] + "有限公司"
	f.english = strings.Join(words[1:len(words)-1], " ") + " (" + city.english + ") Co., Ltd."
	f.trade = tradeOf(words[len(words)-1])
	f.code = checked(fmt.Sprintf("91%sMADEM%03d", city.code, 100+f.number*7))
}

// titled gives another firm its names, as one of the registers writes them: a
// group has the wide brackets of Chinese text in its name, and some have wide
// letters.
func (f *firm) titled() {
	i := f.number
	city := cities[i%len(cities)]
	stem, ending := i%(len(stems)/2)*2, i/(len(stems)/2)%(len(endings)/2)*2
	name, latin := stems[stem]+endings[ending], stems[stem+1]+endings[ending+1]
	form, english := "有限公司", "Co., Ltd."
	switch {
	case i%23 == 0:
		form, english = "（集团）股份有限公司", "Group Co., Ltd."
	case i%29 == 0:
		name += "ＡＩ"
	}
	f.chinese = city.chinese + name + f.trade.chinese + form
	f.english = latin + " " + f.trade.english + " (" + city.english + ") " + english
	f.code = checked(fmt.Sprintf("91%sMADE%04d", city.code, 1000+i*17))
}

// checked completes the first 16 characters of a social credit code with its
// two check characters (GB 11714 and GB 32100).
func checked(head string) string {
	const inner, outer = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789ABCDEFGHJKLMNPQRTUWXY"
	sum := 0
	for i, weight := range []int{3, 7, 9, 10, 5, 8, 4, 2} {
		sum += weight * strings.IndexByte(inner, head[8+i])
	}
	code := head + "0123456789X0"[11-sum%11:][:1]
	sum = 0
	for i, weight := 0, 1; i < 17; i, weight = i+1, weight*3%31 {
		sum += weight * strings.IndexByte(outer, code[i])
	}
	return code + outer[(31-sum%31)%31:][:1]
}
