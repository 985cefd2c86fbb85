"""What composed personas do for a living, by sector, with what it takes: education, age, where it can be done."""

from __future__ import annotations

from ._axes import EDUCATION, PLACE, Value

SECTORS = ("care", "teaching", "trades", "food", "land", "transport", "office", "science", "technology", "law", "arts", "public", "study")

_LEVELS = {"n": "none", "s": "secondary", "v": "vocational", "b": "bachelor", "m": "master", "d": "doctorate"}
_TOWNS = "capital suburb industrial_town university_town port"
_BANDS = ("18-24", "25-34", "35-49", "50-64", "65-85")

_ROWS: tuple[tuple[str, str, str, str, str, str], ...] = (
    # sector, English, Chinese, education (letters of _LEVELS), age bands (1 to 5, both ends), places ("" is anywhere)
    ("care", "nurse in a children's ward", "儿科病房护士", "vb", "14", _TOWNS),
    ("care", "night-shift care worker", "养老院夜班护理员", "nsv", "14", ""),
    ("care", "family doctor", "家庭医生", "md", "24", ""),
    ("care", "midwife", "助产士", "vbm", "14", ""),
    ("care", "physiotherapist", "理疗师", "vbm", "14", ""),
    ("care", "ambulance paramedic", "急救员", "sv", "14", ""),
    ("care", "pharmacist", "药剂师", "bmd", "24", ""),
    ("care", "dental technician", "牙科技师", "v", "14", _TOWNS),
    ("care", "veterinarian", "兽医", "md", "25", ""),
    ("teaching", "primary school teacher", "小学教师", "bm", "14", ""),
    ("teaching", "mathematics teacher", "数学教师", "bm", "24", ""),
    ("teaching", "driving instructor", "驾校教练", "sv", "25", ""),
    ("teaching", "kindergarten teacher", "幼儿园教师", "vb", "14", ""),
    ("teaching", "teacher of adults who learn to read", "成人扫盲教师", "bm", "25", ""),
    ("teaching", "swimming coach", "游泳教练", "sv", "14", _TOWNS),
    ("teaching", "music teacher", "音乐教师", "bm", "25", ""),
    ("trades", "plumber", "水管工", "nsv", "14", ""),
    ("trades", "electrician", "电工", "v", "14", ""),
    ("trades", "carpenter", "木匠", "nsv", "15", ""),
    ("trades", "welder in a shipyard", "船厂焊工", "sv", "14", "port industrial_town"),
    ("trades", "hairdresser", "理发师", "nsv", "15", ""),
    ("trades", "tailor", "裁缝", "nsv", "15", ""),
    ("trades", "watchmaker", "钟表匠", "v", "25", _TOWNS),
    ("trades", "roofer", "屋面工", "nsv", "14", ""),
    ("trades", "lift mechanic", "电梯维修工", "v", "14", "capital suburb industrial_town"),
    ("food", "baker", "面包师", "nsv", "15", ""),
    ("food", "head chef", "主厨", "sv", "24", ""),
    ("food", "waiter", "餐厅服务员", "nsvb", "14", ""),
    ("food", "butcher", "肉铺师傅", "nsv", "15", ""),
    ("food", "owner of a small café", "小咖啡馆老板", "nsvbm", "25", ""),
    ("food", "school cook", "学校食堂厨师", "nsv", "24", ""),
    ("food", "cheese maker", "奶酪师", "sv", "25", "village mountains island"),
    ("food", "food inspector", "食品检验员", "bm", "24", _TOWNS),
    ("land", "dairy farmer", "奶农", "nsvb", "15", "village mountains island"),
    ("land", "forester", "护林员", "vbm", "14", "village mountains"),
    ("land", "gardener in a public park", "公园园丁", "nsv", "14", _TOWNS),
    ("land", "fisher", "渔民", "nsv", "15", "port island"),
    ("land", "winegrower", "葡萄种植者", "svb", "25", "village mountains"),
    ("land", "agronomist", "农艺师", "md", "24", "university_town village"),
    ("land", "shepherd", "牧羊人", "ns", "15", "mountains island village"),
    ("land", "vegetable grower", "菜农", "nsv", "15", "village suburb"),
    ("transport", "bus driver", "公交车司机", "nsv", "24", ""),
    ("transport", "train dispatcher", "列车调度员", "sv", "14", "capital industrial_town suburb"),
    ("transport", "lorry driver", "货车司机", "nsv", "24", ""),
    ("transport", "bicycle courier", "自行车快递员", "nsvb", "13", "capital suburb university_town"),
    ("transport", "harbour pilot", "引航员", "b", "34", "port"),
    ("transport", "air traffic controller", "空中交通管制员", "b", "24", "capital suburb"),
    ("transport", "ferry hand", "渡轮船员", "nsv", "14", "port island"),
    ("transport", "taxi driver", "出租车司机", "nsvb", "25", "capital suburb industrial_town port"),
    ("office", "bookkeeper", "会计", "vb", "15", ""),
    ("office", "insurance clerk", "保险公司职员", "svb", "14", _TOWNS),
    ("office", "estate agent", "房产中介", "svb", "25", ""),
    ("office", "purchaser in a furniture factory", "家具厂采购员", "vb", "14", "industrial_town suburb"),
    ("office", "personnel officer", "人事专员", "bm", "24", _TOWNS),
    ("office", "call centre agent", "客服中心话务员", "nsvb", "14", "capital suburb industrial_town"),
    ("office", "tax adviser", "税务顾问", "bm", "25", ""),
    ("office", "warehouse manager", "仓库主管", "svb", "24", "industrial_town suburb port"),
    ("science", "marine biologist", "海洋生物学家", "md", "25", "port island university_town"),
    ("science", "laboratory assistant", "实验员", "vb", "14", "university_town capital industrial_town"),
    ("science", "statistician", "统计学家", "md", "25", "capital university_town"),
    ("science", "geologist", "地质学家", "md", "25", "university_town mountains capital"),
    ("science", "archaeologist", "考古学家", "md", "25", "university_town capital island"),
    ("science", "meteorologist", "气象学家", "md", "24", "capital mountains university_town"),
    ("science", "science journalist", "科学记者", "bmd", "25", "capital university_town"),
    ("technology", "software developer", "软件开发者", "sbmd", "14", ""),
    ("technology", "network technician", "网络技术员", "v", "14", ""),
    ("technology", "mechanical engineer", "机械工程师", "bmd", "24", "industrial_town suburb university_town"),
    ("technology", "wind turbine technician", "风电技术员", "v", "14", "village port island"),
    ("technology", "test engineer for brakes", "制动测试工程师", "bm", "24", "industrial_town suburb"),
    ("technology", "database administrator", "数据库管理员", "vbm", "24", _TOWNS),
    ("technology", "structural engineer", "结构工程师", "md", "25", _TOWNS),
    ("law", "labour lawyer", "劳动法律师", "m", "25", _TOWNS),
    ("law", "court clerk", "法院书记员", "vb", "14", "capital suburb industrial_town university_town"),
    ("law", "mediator for neighbours", "邻里调解员", "bm", "35", ""),
    ("law", "prison officer", "狱警", "sv", "24", ""),
    ("law", "police officer on patrol", "巡警", "svb", "14", ""),
    ("law", "notary", "公证人", "m", "35", ""),
    ("arts", "theatre lighting technician", "剧院灯光师", "v", "14", "capital university_town industrial_town"),
    ("arts", "illustrator of children's books", "儿童绘本插画师", "vbm", "15", ""),
    ("arts", "violin maker", "小提琴制作师", "v", "25", ""),
    ("arts", "translator of novels", "小说译者", "m", "25", ""),
    ("arts", "wedding photographer", "婚礼摄影师", "svb", "24", ""),
    ("arts", "orchestra musician", "乐团乐手", "bm", "24", "capital university_town"),
    ("arts", "museum guard", "博物馆保安", "nsv", "25", "capital university_town port"),
    ("public", "librarian", "图书管理员", "bm", "24", _TOWNS),
    ("public", "town planner", "城市规划师", "m", "24", _TOWNS),
    ("public", "firefighter", "消防员", "sv", "13", ""),
    ("public", "postal worker", "邮递员", "nsv", "14", ""),
    ("public", "social worker", "社工", "bm", "24", ""),
    ("public", "mayor", "镇长", "bm", "35", "village mountains island"),
    ("public", "refuse collector", "环卫工", "ns", "14", ""),
    ("public", "water works operator", "自来水厂操作员", "sv", "14", ""),
    ("study", "student of chemistry", "化学专业学生", "s", "12", "university_town capital"),
    ("study", "student of economics", "经济学专业学生", "s", "12", "university_town capital suburb"),
    ("study", "apprentice joiner", "木工学徒", "ns", "11", ""),
    ("study", "doctoral candidate in linguistics", "语言学博士生", "m", "23", "university_town capital"),
    ("study", "trainee nurse", "实习护士", "s", "12", _TOWNS),
    ("study", "adult learner at an evening school", "夜校成人学员", "ns", "24", ""),
)


def _value(row: tuple[str, str, str, str, str, str]) -> Value:
    sector, english, chinese, levels, ages, places = row
    known = {place.key.replace(" ", "_"): place.key for place in PLACE}
    return Value(
        english,
        english,
        chinese,
        {
            "sector": frozenset({sector}),
            "education": frozenset(_LEVELS[letter] for letter in levels),
            "age": frozenset(_BANDS[int(ages[0]) - 1 : int(ages[1])]),
            "place": frozenset(known[place] for place in places.split()) or frozenset(known.values()),
        },
    )


SECTOR = tuple(Value(name, name, name) for name in SECTORS)
OCCUPATION = tuple(_value(row) for row in _ROWS)
assert set(_LEVELS.values()) == {level.key for level in EDUCATION}
