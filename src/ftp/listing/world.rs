//! What the months are called in the other languages that glibc and Unicode's CLDR know, in small letters and without a
//! full stop behind: all abbreviations and full names, and those of the Latin letters also without accents.
//!
//! What means different months in different languages is left to the one with more speakers, or left out.

/// The words of each month; those of [`months`](super::months) come first.
#[rustfmt::skip]
pub(super) const WORLD: [&str; 12] = [
    "aha aharabata ama amajjii ark arkoi ayr a̱yr bhi bhimbidvwane chanuari chinero cil cile cio ciongo dac dal \
     dimɔ́di dja djanvi djanvî dyon dzove dzv ean eanair eanáir enero eni enikwsi eyomqungu faoi ferikgong flo \
     fúngatɨ genier genièr gennaio genver ger ghe ghennargiu ghennàrgiu ghj ghjennaghju gèr hanuere hut hān hānuere \
     ianuali ianuari ianuarie ianuarii ianuarius imb ini iniru inn innayr inïru ion ionawr j-guer jaanuar janaayo \
     janabari janairu janar janaware janeiro janeiru janer janeru janeware janewoore jannaayo jannar janner jannewa \
     jannewarie jannewaris jannuaar janoary januaar januaari januaarip januali januara januare januari januarie \
     januario januaro januarĩ janueri januwale januwari január januára janvaris janvars janvye janvāris janwaliyo \
     janwari janyuwari janúar jasytei jasyteĩ jaunuwoa jen jena jenaro jenner jenuari jenuware jenuwari jená jenụwarị \
     jerrey-geuree jin jinnaru juw jén jénúári karlac kbz kii kob kohi kohi-tatea kohi-tātea kăr kărlac kɔn kɔndɔŋ \
     kʉfúngatɨ ledna mbe mbegtug mqu mul mulgul mup mupalangulwa mut mutarama ndi ndira ndwenit ndzɔ̀ŋɔ̀nùm njenuari \
     njenuarĩ num nyenye nzero nùm obo ocak okwokubanza oladalʉ́ orara ođđajagemánnu ođđj pamba pellkwetmin \
     pellkwet̓min pet petsatin phando pherekgong pusu qun rag rags rbn rebendan rêbendan s-ɔ sam samwiyee san \
     sanda-ɔpɛpɔn sanuali sanvie sanwiy'e saus sause sausio sausis sausė schan schaner sere sginer sii siilo sijecanj \
     sijecnja siječanj siječnja siqinnaatchiaq siqiññaatchiaq snt ste stecznik stecznika studzien studzienia studzień \
     styczen styczeń stycznia styczyn styczyń stë stëcznik stëcznika sunguti sñt sān sānuali tammikuuta tiop \
     urtarrila uđiv uđđâivemáánu xaneiro xin xineru yan yanuari yanul yanvar yanwar yanüari yen yennayer yepe yepé \
     zan zanvie zanwiye zanwuye zen zena zenar zenâ zenâr zib zibandlela ·𐑡𐑨 ·𐑡𐑨𐑙𐑘𐑭𐑢𐑺𐑰 çil çile ýan ýanwar ğın ğınwar \
     žan žanwiye ǃkhanni ɔpɛpɔn ιανουάριος ιανουαρίου ажь ажьырныҳəа ажьырныҳәа гыйн гыйнвар кӑр кӑрлач сту студзень \
     студзеня січень січня тохс тохсунньу шорыкйол шрк якш якшамков январ январы януари і҆аннꙋа́рїа і҆аннꙋа́рїй і҆аⷩ҇ \
     јан јанвар јануар јануари қаң қаңтар հնվ հունվար հունվարի יאַנ יאַנואַר ינואר ינו׳ جانفي جانواري جانڤیە جن جنؤری \
     جنو جنوري جنوری جَن جَنَيْرُ قاڭتار يانۋار ژانویه ژانویهٔ ޖެނުއަރީ ߓߌ߲ߠ ߓߌ߲ߠߊߥߎߟߋ߲ जन जनवरी जनवरीमासः जन॰ जान \
     जानुवारी जाने जानेवारी पुसु बैसाख জন জনুৱারী জান জানু জানুয়ারী জানুৱারি জানুৱাৰী ਜਨ ਜਨਵਰੀ જાન્યુ જાન્યુઆરી \
     ଜାନୁଆରୀ ପୁସୁ ஜன ஜனவரி జన జనవరి మాగ ಜನ ಜನವರಿ ജനു ജനുവരി ජන ජනවාරි มกราคม ມ.ກ ມັງກອນ ཟླ་༡ ཟླ་དངཔ་ ཟླ་བ་དང་པ་ \
     ཟླ་བ་དང་པོ ཟླ་བ་དང་པོ་ སྤྱི་ཟླ་དངཔ་ ဂျာန် ဂျာန်နျူအာရဳ ဇန် ဇန်နဝါရီ လိူၼ်ၵမ် იან იანვარი ልደት ልደትሪ ጃን ጃንዋሪ ጃንዩ \
     ጃንዩወሪ ጠሐረ ጥሪ ᐅᒉᒥᑮᓯᑳᐏᐲᓯᒼ ᔭᓐᓄᐊᓕ ᔮᓄ ᔮᓄᐊᓕ មករា ᱡᱟᱱ ᱡᱟᱱᱣᱟᱨᱤ ṣẹ́rẹ́ ⵉⵏⵏ ⵉⵏⵏⴰⵢⵔ 一月 ꋍꆪ ꖨꖕꔞ ꭴꮓ ꭴꮓꮈꮤꮕ 𐐾𐐰𐑌 𐐾𐐰𐑌𐐷𐐭𐐯𐑉𐐨 𐓬𐓘𐓡𐓛͘𐓧𐓟 \
     𑄎𑄚𑄪 𑄎𑄚𑄪𑄠𑄢𑄨 𞄆𞄬 𞤧𞤭𞥅𞤤 𞤧𞤭𞥅𞤤𞤮",
    "ahw arat ará arát a̱hw baa brayr bṛa bṛayṛ chkwali chw chwef chwefror cla cokcwaklaŋne col colte cʼhw cʼhwe \
     cʼhwevrer dar dhi dibo dzd dzodze erele eyomdumba fab fabrowa faburairu favr favrer fbl feabh feabhra febereware \
     feberwaar febirie febluali febraayo febraro febrayer febreiro febrer febrero febreru febrewaris febrewoore \
     febrier febrièr febroary februaar februaari februaarip februara februari februarie februarii februario februaris \
     februarius februaro februars februeri februwari februwoa február februára februāris febrúar febrüari febrụwarị \
     febuare febuari febul febuluwale feburari feburuari feburuarĩ feburuye febwaliyo febwari fee feebriy'e feewiriye \
     fep fepuali fepuari fepueli ferraghju fevereiro fevereiru fevra fevral fevrar fevreiro fevrer fevri fevrier \
     fevriye fevrâ fevrâr fevrî few fewral fewriyee fib fibberwarie fiw fiwral' fora forá fra frar fre freargiu freva \
     frevâ freàrgiu fri frivaru fulundigi fulundïgi fur furar fuṛar fäb fäbrowa fébirie fēp fēpueli fẹ́b fẹ́búári gas \
     gashyantare gearr gro gromicznik gromicznika guov guovvamannu guovvamánnu gur guraandhala helmikuuta hereuer \
     hereuèr hla hlakola hor hornig hui hui-tanguru hwe indlovana indlovane jasykoi jasykõi k-ɔ kai kbr kudo kuk \
     kukadzi kuovamaanu kuovâ kuovâmáánu kup kupitin kwakwar-ɔgyefuo kɨz kʉnaanɨ lab luh luhuhi luishi lutaha lutego \
     luty lùishi maha mdu muk mukui mukũi mwi mwitope màcɛ̂l naanɨ nah nar naras narăs ndwenngeih ndzɔ̀ŋɔ̀kɨ̀zùʔ \
     ng'atyaato ngat nhlo nhlolanja nyenyenyani ofl oflɔ okwakabiri omuk otsaila par parwari peb pebrero pebruari \
     pelctsipwenten pelctsipwen̓ten pep pepeluali pepuere phi phiwriru pèb pèbruari péb pébruari pēp pēpuere pɛt \
     ruhuhuma sbt shk shkurt sib sibat siqinnaasrugruk siqiññaasrugruk sns sub subat swi sñs t-arree thang thangthang \
     tlhakole toshiaght-arree tsahkápbiˀ tsi ufeberbari una uno unor unora van vasare vasario vasaris vasarė veebruar \
     veljaca veljace veljača veljače vil waa wanja was wassarins wkr yebrayer ·𐑓𐑧 ·𐑓𐑧𐑚𐑘𐑵𐑢𐑺𐑰 èrèlè února ŋgɔn ŋgɔndɛ \
     şubat ǃkhanǀgôab ɔgyefoɔ φεβρουάριος φεβρουαρίου ақп ақпан дав даволков жəаб жəабран жәаб жәабран лютага лютий \
     лютого люты нар нарӑс олун олунньу пгж пургыж феб фебруар февр феврал февралы февруари феврꙋа́рїа феврꙋа́рїй \
     феⷡ҇ փետրվար փետրվարի փտվ փտր פֿעב פֿעברואַר פברואר פבר׳ اقپان شباط شوب شوبات فئڤریە فبروري فبروری فرؤری فروري \
     فروری فوریه فوریهٔ فيبروري فيبواري فيفري فېبروري فېۋرال پر پروری ڢَب ڢَبْرَيْرُ ܫܒܛ ފެބްރުއަރީ ߞߏ߲ߞ ߞߏ߲ߞߏߜߍ जेठ \
     फबरवरी फर फरवरी फरवरीमासः फर॰ फ़रवरी फ़र॰ फेब फेबरवरी फेब्रु फेब्रुअरी फेब्रुवारी फेब्रूवारी माहा ফেব ফেব্রু \
     ফেব্রুয়ারী ফেব্রুৱারি ফেব্ৰু ফেব্ৰুৱাৰী ਫ਼ਰ ਫ਼ਰਵਰੀ ફેબ્રુ ફેબ્રુઆરી ଫେବୃଆରୀ ମାହା பிப் பிப்ரவரி గుండు ఫిబ్ర \
     ఫిబ్రవరి ಫೆ ಫೆಬ್ರ ಫೆಬ್ರವರಿ ಫೆಬ್ರುವರಿ ഫെബ്രു ഫെബ്രുവരി පෙබ පෙබරවාරි กุมภาพันธ์ ກ.ພ ກຸມພາ ཟླ་༢ ཟླ་གཉིས་པ་ \
     ཟླ་བ་གཉིས་པ ཟླ་བ་གཉིས་པ་ སྤྱི་ཟླ་གཉིས་པ་ ဖေ ဖေဖော်ဝါရီ လိူၼ်သၢမ် ဝှေဝ် ဝှေဝ်ဗြူအာရဳ თებ თებერვალი ለካ ለካቲ ለካቲት \
     ከተተ ካብኽ ካብኽብቲ ፌብ ፌብሩ ፌብሩወሪ ፌብሩዋሪ ᐸᐚᐦᒐᑭᓇᓰᐢ ᕕᕗ ᕕᕗᐊᓕ ᕕᕝᕗᐊᓕ កុម្ភៈ ᱯᱷᱟ ᱯᱷᱟᱨᱣᱟᱨᱤ ⴱⵕⴰ ⴱⵕⴰⵢⵕ 二月 ꑍꆪ ꕒꕡ ꕒꕡꖝꖕ ꭷꭶ ꭷꭶꮅ 𐑁𐐯𐐺 \
     𐑁𐐯𐐺𐑉𐐭𐐯𐑉𐐨 𐓵𐓪͘𐓬𐓘 𑄜𑄬𑄛𑄴 𑄜𑄬𑄛𑄴𑄝𑄳𑄢𑄪𑄠𑄢𑄨 𞄛𞄨𞄱𞄄𞄤𞄲𞄨 𞤷𞤮𞤤 𞤷𞤮𞤤𞤼𞤮",
    "ada adar adr atat a̱ta bit bitooteessa bitootessa bre brezen brezna března cig cki cokcwaklii dad dat duɔ̱ɔ̱ \
     duɔ̱ɔ̱ŋ e-ɔ ebɔw-ɔbenem erena eyokwindla fam hlak hlakubele indlovu-lenkhulu indlovulenkhulu jasyapy kad kat \
     keenda kiptaamo kovas kovo kst ktũ kul kuo kuova kurume kʉkeenda lus lusolo lusòlo maachi maachị maaliskuuta \
     maarso maarts maaz mac mach machi maehe maerz mal malaki malichi marca marcius marco marec mares maret maris \
     marisi marsi marsip marso marsu marta marte martie martii martio martius marto martsa martxoa martzu marz marze \
     marzec marzu mas mashi masi mass mat matshe matshi matumb matšhe maw mawrth mayrnt mazul maʻa maʻasi maṛ maṛṣ \
     mba mbangu mbimbitho mbo mbooy mbä mbängü mer merc merca merz meu meur meurzh meɣ meɣres mie miert moaz mop \
     mopitlo mopitlwe moz msh musapiri musapíri mushende màrt màtùmb már márch március márta mäe mäerz märze mäz \
     mäzul määz mås måss māe māehe měr měrc měrca ndwensam ndzɔ̀ŋɔ̀tɨ̀dʉ̀ghà ngl njuhca njuhcamaanu njuhčâ \
     njuhčâmáánu njuk njukcamannu njukčamánnu ntwarante nyenyankulu okwakashatu okwamg' otsokrikri ozu ozujak ozujka \
     ožujak ožujka pagu pan paniqsiqsiivik pellsqepts pellsqépts pou poutu-te-rangi poutū-te-rangi pul pulis pus puš \
     pūl pūlis sad sak sakavik sakavika sqe str stremiannik stremiannika strëmiannik strëmiannika sɔŋ sɔŋɛ tasahcuce \
     ted tedoxe thafamuhwe the there thf tlhakubele tri tsa tɨd ube umatjhi uya uyaitin vol vul wanit wer werurwe wgt \
     wánit xam xamokhwite ·𐑥𐑸 ·𐑥𐑸𐑗 ǀkhuuǁkhâb ɔbɛnem ɔɛn ɔɛnɨ́ɔɨŋɔk μάρτιος μαρτίου березень березня клн кул ма́рта \
     ма́ртъ мартъи мартъийы маⷬ҇ нау наурыз пуш сак сакавік сакавіка хəажəкыра хəажә хәажә хәажәкыра эйз эйзюрков ӱрн \
     ӱярня մար մարտ մարտի մրտ מאַר מערץ آذار أذار ئاز ئازار مارت مارٕچ مارچ مَر مَرِسْ مچ ناۋرىز ܐܕܪ މާރޗް ߕߙߊ ߕߙߊߓߊ \
     अषाढ़ पागु मार्च मार्चमासः मार्चि मार्चु मार्स মার মার্চ মাৰ্চ ਮਾਰਚ માર્ચ ପାଗୁ ମାର୍ଚ୍ଚ மார் மார்ச் మార్చి హిరెఇ \
     ಮಾ ಮಾರ್ಚ್ മാർ മാർച്ച് මාර් මාර්තු มีนาคม ມ.ນ ມີນາ ཟླ་༣ ཟླ་གསུམ་པ་ ཟླ་བ་གསུམ་པ ཟླ་བ་གསུམ་པ་ སྤྱི་ཟླ་གསུམ་པ་ မတ် \
     မာတ် မာတ်ချ် လိူၼ်သီႇ მარ მარტი መገበ መጋ መጋቢ መጋቢት ማርች ክብላ ᒥᑭᓯᐏᐲᓯᒼ ᒪᔅ ᒪᔅᓯ ᒫᑦᓯ មីនា ᱢᱟᱨ ᱢᱟᱨᱪ ṱhafamuhwe ṱhf ẹrẹ̀nà \
     ⵎⴰⵕ ⵎⴰⵕⵚ 三月 ꌕꆪ ꕾꖺ ꭰꮕ ꭰꮕᏹ 𐑋𐐪𐑉 𐑋𐐪𐑉𐐽 𐓵𐓘𐓜𐓣 𑄟𑄢𑄴𑄌𑄧 𞄒𞄫𞄰𞄒𞄪𞄱 𞤲𞤦𞤮𞥅𞤴 𞤲𞤦𞤮𞥅𞤴𞤮",
    "abrell abriil abril abrile abrille abriu abrëll aburil abɛibe afi afirilu afr afɔ afɔfĩe agd aib aibrean aibreán \
     aka anas ape apelila apereira aperila aperira apirila apiriri apl aplili aporele aprel aprele aprell aprels \
     apreļs apriili apriilip aprila aprile aprili aprilie aprilis aprill aprilo aprily aprilyi apryl apryla aprél \
     apríl apríla aprīlis apu apuli arv arvi arvî auri aurí averil avri avrigl avrril avrî avrîl awi awiril awirili \
     awr awril awrila a̱na balandis balandzio balandžio balonde balondė che cuo cuoŋ cuoŋománnu cuáŋui cuáŋuimáánu \
     dan diɓ diɓáɓá doy dubna dun dzi dzivamisoko e-o ebr ebrel ebrill ebɔbira-oforisuo eebila elb elba eph ephreli \
     epr epreel eprel epreli epreo epril eprèl epu epulo ewt fmf gibl guak hire huhtikuuta háshnihtiˀtiˀ ibr ibrir \
     igbe iiplal ikumi ikúmi ipu ipuru irudi irũdí iwo iwootkuut jang jangmi jasyrundy kkn kra krasavik krasavika kub \
     kubvumbi kwetayoxe kwiecien kwiecień kwieciyn kwieciyń kwietnia kwiikumi lam lambamai mab mabasa mata matop mme \
     mmesa mmese mora moranang mto mun munyi muu muuya màtop mùuyà ndamukiza ndwenseiq ndzɔ̀ŋɔ̀tǎafʉ̄ghā ngn ngubue \
     ngubùe nisan nsn nyɔlɔmbɔŋgɔ nîs nîsan odung'el oforisuo okwakana ong pae paenga-whawha paenga-whāwhā pesllewten \
     peslléwten pri prill prilul prl qil sakkis seeɗto spi tay tayutin travanj travnja tsh u-apreli utshazimpuzi wkn \
     yebril yebrir  avri ·𐑱𐑐 ·𐑱𐑐𐑮𐑭𐑤 április épr éprel éwt ìgbé āpe āpereira āperira ĩpu ĩpurũ łżë łżëkwiat łżëkwiata \
     ǃhôaǂkhaib ɖʊ ʻap ʻapelila ʻepe ʻepeleli απρίλιος απριλίου ака апрел апрелы април а҆прі́ллїа а҆прі́ллїй а҆пⷬ҇ \
     вшр вӱдшор квіт квітень квітня кра красавік красавіка мсу муус мш мшаԥы сәу сәуір чад чадыков ապր ապրիլ ապրիլի \
     אַפּר אַפּריל אפריל אפר׳ ءساۋىر آوریل آڤریل أفريل أَڢْر أَڢْرِلُ إبريل ئاپرېل اپر اپريل اپریل اپرێل اڤريل نيسان \
     نیس نیسان ܢܝܣܢ އެޕްރީލް ߞߏ߲ߘ ߞߏ߲ߞߏߘߌ߬ߓߌ अप अपरेल अप्रिल अप्रेल अप्रै अप्रैल अप्रैलमासः एप्रि एप्रिल एप्री एप्रील \
     एप्रैल एफ्रिल सावोन हिर्रे এপ্রি এপ্রিল এপ্ৰিল ਅਪ੍ਰੈ ਅਪ੍ਰੈਲ એપ્રિલ ଅପ୍ରେଲ ହିରେ ஏப் ஏப்ரல் ఏప్రి ఏప్రిల్ బెసెకి \
     ಏಪ್ರಿ ಏಪ್ರಿಲ್ ಏಪ್ರಿಲ್‌‌ ഏപ്രി ഏപ്രിൽ අප්‍රි අප්‍රේල් เมษายน ມ.ສ ເມສາ ཟླ་༤ ཟླ་བ་བཞི་པ ཟླ་བ་བཞི་པ་ ཟླ་བཞི་པ་ \
     སྤྱི་ཟླ་བཞི་པ လိူၼ်ႁႃႈ အေ အေပြေယ်လ် ဧပြီ აპრ აპრილი ሚያ ሚያዝ ሚያዝያ አኀዘ ኤፕረ ኤፕረል ኤፕሪ ኤፕሪል ፋጅኺ ፋጅኺሪ ᐃᐳ ᐃᐳᓗ ᐊᐃᑉᐳᓗ \
     ᓂᐢᑭᐲᓯᒼ មេសា ᱟᱯᱨ ᱟᱯᱨᱮᱞ ⵉⴱⵔ ⵉⴱⵔⵉⵔ 四月 ꇖꆪ ꖢꖕ ꭷꮼ ꭷꮼꮒ 𐐩𐐹𐑉 𐐩𐐹𐑉𐐮𐑊 𐓰𐓪𐓬𐓘 𑄃𑄬𑄛𑄳𑄢𑄨𑄣𑄴 𞄤𞄨𞄱 𞤧𞤫𞥅𞤼 𞤧𞤫𞥅𞤼𞤮",
    "agb agbiɛnaa apf aru atyo a̱pf beal bealtaine bel belawu bese boaldyn bêl bêläwü caamsa caamsaa cam can cax ceit \
     chivabvu chv cèit dah dam dame dua duat duu duujal duä duät e-k ebibi ell emiasele gat gegozes gegožės geguze \
     geguzes gegužės gic gicuransi gicurasi gln gul gulan han hara haratua ime inkhwekhweti inkhwenkhweti inyambala \
     jasypo keg kegketin khk ktn kve kveten kvetna května kwiinyambala kwiinyambála kɔtɔnimma lum lumungulu lumùngùlù \
     lép maaie maaji maajip maayi maayo madǝǝuutǝbijaŋ mae maghju maiatza maii maiu maius maja majo majs maju majus \
     mamuut masg matg mayu mayul mayyu mayıs maz mazzo maý mee meij meije mej meja meje mejju mey meyi mies \
     miessemannu miessemánnu mih mii moj moja mot motsheanong motsheganang motsheganong mpu mudyaxihi mája május méi \
     môj mē mĩĩ mɛ m̀puyɛ ndwenngux ndzɔ̀ŋèsèe ngt nkh nkw nkwenkwezi okwakataana omaruk pú rii rusama sha shu \
     shundunthule sup suppivik svibanj svibnja tainipen toukokuuta tsw ucanzibe vyesi vyesimaanu vyesimáánu wtn zal \
     zallaws ·𐑥𐑱 şu ǃkhaitsâb μάιος μαΐου ага лаҵ лаҵара ма́їа ма́їй майы мам мамыр мај маꙵ пан панжиков трав травень \
     травня траўня ыам ҫу մայ մայիս մայիսի մյս מיי מײַ أيار ئای ئایار مئ مئي مئی مئیی مامىر مه مهٔ مي مَي مَيُ مٓی می \
     میٔ مۍ ܐܝܪ މެއި ߘߓߊ߬ߕ ߘߓߊ߬ߕߊ बेसे भादो मई मईमासः मे मेई মে মে' ਮਈ મે ବେସେ ମଇ மே మే లండి ಮೇ മേയ് මැයි พฤษภาคม ພ.ພ \
     ພຶດສະພາ ཟླ་༥ ཟླ་བ་ལྔ་པ ཟླ་བ་ལྔ་པ་ ཟླ་བ་ལྔ་ཕ་ ཟླ་ལྔ་པ་ སྤྱི་ཟླ་ལྔ་པ་ မေ လိူၼ်ႁူၵ်း მაი მაისი ሜይ ክቢቅ ክቢቅሪ ጉንበት ግን \
     ግንባ ግንባት ግንቦ ግንቦት ᐊᓃᑭᐲᓯᒼ ᒪᐃ ឧសភា ᱢᱮ ẹ̀bibi ⵎⴰⵢ ⵎⴰⵢⵢⵓ 五月 ꉬꆪ ꖑꕱ ꭰꮒ ꭰꮒꮝꭼꮨ 𐑋𐐩 𐓮𐓘𐓰𐓘 𑄟𑄬 𞄀𞄪𞄴 𞤣𞤵𞥅𞤶 𞤣𞤵𞥅𞤶𞤮",
    "achi aki ata ayɛwohomumu a̱ki ber berzele birz birzelio birzelis birž birželio birželis bracet brá bráčet bėr \
     bėrželė cen cer cerven cervien cervienia cervna chikumi chn choon chunyo cvn czerwca czerwiec czerwinc czerwinca \
     czerwińc czerwińca czy czyrwca czyrwiec dau djn djun ekaina esɔ esɔpɛsɔpɛ eyesilimela fon fondo fulwi fön föndo \
     gamaǀaeb gan geas geassemannu geassemánnu ghju ghjugnu giugnu gunju haziran hez heziran hezîran hil hun hune \
     huniyu hunyo hzr háshnihtsiˀ hìlòndɛ̀ idwaata ign ignivik ile inhlaba iune iuni iunie iunii iunius iyn iyun iýn \
     iýun iġñ iġñivik i̇yn i̇yun jasypotei jasypoteĩ jatta jaṭṭa jon jona jug jugn jugno juna junh junho junhu junie \
     junij junija junijs junio junius juns junyi junyu juu juun juune juunip juņs júna június júní jügn jün jüüne \
     jūnijs kam kamena kar kesa kesakuu kesakuuta kesi kesimaanu kesimáánu kesäkuuta khotavuxika kichinipen kmk \
     kornyoot korse kwiidwaata kújúɔrɔk lampadas lipanj lipnja lix luf lufuimi lwi làm làmpadas m-souree \
     mamǝŋgwãafahbii masa mean-souree meh mehefin meith meitheamh met mezh mezheven moc mod mti muj mujimbi ndwenloeg \
     ndzɔ̀ŋɔ̀nzùghò ngs nhla nju njuni nzu o-a obirade-ayɛwohomumu ogmh okudu okwamukaaga omodok'king'ol otukwajan \
     otukwajaŋ paa paagi pelltspentsk pelltspéntsk phupjane pipi pipiri pu-yepe pú-yepé qas qer qershor rok ruheshi \
     seetebosigo ser sertme sgiugn sil sim simenis sueŋ sune suw suwe suwen sīm sīmenis teg tegmatin tsp vos vosik \
     wax waxabajjii wtd xun xuno xunu xuño yun yuni yunul yunyu yün yüni zercl zercladur zin zug zugno zuw zuwɛn zûg \
     zûgno ·𐑡𐑵 ·𐑡𐑵𐑯 ògmh òkúdu červienia červień června čvn ġun ġunju şĕr şĕrtme žuw žuweŋ ɔsɔn ιουνίου ιούνιος ашт \
     аштемков бэс июны ијн ијун мау маусым пдш пеледыш рашəара рашә рашәара черв червень червня чэр чэрвень чэрвеня \
     і҆ꙋ́нїа і҆ꙋ́нїй і҆ꙋⷩ҇ јун јуни ҫӗр ҫӗртме հնս հունիս հունիսի יוני ئىيۇن جوان جون جوٗن جوٙأن حزيران حوز حوزەیران \
     ماۋسىم يُون يُونِ ژوئن ܚܙܝܪܢ ޖޫން ߥߊ߬ߛ ߥߊ߬ߛߌ߬ߥߙߊ आसिन जाट्टा जुन जून जूनमासः जूनि জুন ਜੂਨ જૂન ଜାଟା ଜୁନ ஜூன் జూన్ \
     రాత ಜೂ ಜೂನ್ ജൂൺ ජූනි มิถุนายน ມິ.ຖ ມິຖຸນາ ཟླ་༦ ཟླ་དྲུག་པ ཟླ་བ་དྲུག་པ ཟླ་བ་དྲུག་པ་ སྤྱི་ཟླ་དྲུག་པ ဂျုန် ဇွန် \
     လိူၼ်ၸဵတ်း ივნ ივნისი ሠንየ ሰነ ጁን ᐚᐏᐲᓯᒼ ᔪᓂ ᔫᓂ មិថុនា ᱡᱩᱱ ⵢⵓⵏ ⵢⵓⵏⵢⵓ 六月 ꃘꆪ ꖱꘋ ꮥꭽ ꮥꭽꮇᏹ 𐐾𐐭𐑌 𐓯𐓘𐓬𐓟 𑄎𑄪𑄚𑄴 𞄛𞄤𞄱𞄞𞄤𞄦 𞤳𞤮𞤪 𞤳𞤮𞤪𞤧𞤮",
    "a-k aasadi aasaḍi ado adooleessa adoolessa agemo agẹmọ ana arg atar aty ayɛwoho-kitawonsa a̱ty cec cervence \
     cervenec chg chikunguru chl choola chulai chuliol cul cvc dao djl djulete dum efute eyekhala fan fanadur fulwana \
     giugnettu gnt gor gorff gorffennaf gou goue gouere hei heina heinakuu heinakuuta heinäkuuta heiwet hiyuce hongoi \
     hongoingoi hul huliyu hulyo hur hurae hōngoi hōngoingoi hūr hūrae itc itchavik iuch iuil iulai iulie iulii \
     iulius iyl iyul iúil iýl iýul i̇yl i̇yul j-souree jak jakhong jasypokoi jasypokõi jerrey-souree jiy jiye jiyè \
     jol jolai jolay juill jula julaayi julae julai julayi julaị julhet julho julhu julie julij julija julijs julio \
     juliol julius juls julyai julyu julí jur juriol juriòl juule juulip juļs jól jólái júla július júlí jül jüüle \
     jūlijs kab kabalashipu kabàlàshìpù kha kholwane kms kor korr korrik kuntutin kutawonsa kuŋgwɛ kʉmʉʉnchɨ lai \
     lainipen len lengua lepas lepinc lepinca liep liepa liepos lipa lipca lipiec lipien lipienia lipień luggio \
     lugliu luj lujo lul lulju luulyo lwa lëp lëpas lëpińc lëpińca lûg lûggio līp līpa maawɛ madiɓɛ́díɓɛ́ \
     mamǝŋgwãalii mawuwani messe messé mli moo morso morusasin mose msp mug mukakaro mushipepo mórusásin mʉʉnchɨ \
     ndwencaet ndzɔ̀ŋɔ̀dùmlo ng'eiyeet ngz nje njeba njr njurai njuraĩ njèbà ntu ntulikazi násˀahˀatsus ojola \
     okwamushanju pelltqwelqwelt pelltqwelq̓wél̓t phu phukwi phupu pu-mukui pú-mukũi qad sab sap sas sia siamlɔm siu \
     siulai srpanj srpnja sul sulet suoi suoidnemannu suoidnemánnu suuyee syeini syeinimaanu syeinimáánu sás sú \
     súuyee temmuz tir tirmeh tod tqw triulas trm trì trìulas tîr tîrmeh upu uta ută uztaila wmj xnt xullo xunetu yul \
     yuli yulul yulyu yulyuz yül yüli zil zilye zul zuluye zuy zuyye ·𐑡𐑫 ·𐑡𐑫𐑤𐑲 července červenec čvc žuy žuyye \
     ǂkhoesaob ιουλίου ιούλιος июлы ијл ијул лип липень липня ліп ліпень ліпеня мед медьков от отй срм сӱрем утӑ шіл \
     шілде і҆ꙋ́лїа і҆ꙋ́лїй і҆ꙋⷧ҇ јул јули ԥхынгəы ԥхынгә ԥхынгәы հլս հուլիս հուլիսի יולי ئىيۇل تموز تەم تەموز تەمووز \
     جول جولاءِ جولائی جولاي جولای جويلية جوٗلایی جوٙلا جُلَے جۆل جۆلایی شىلدە يوليوز يُول يُولِ ژوئیه ژوئیهٔ ܬܡܘܙ \
     ޖުލައި ߞߊ߬ߙ ߞߊ߬ߙߌߝߐ߭ आसाड़ी कातिक जु जुल जुलय जुला जुलाइ जुलाई जुलाईमासः जुलै जुल॰ जूलाइ जूलै জুল জুলা জুলাই \
     ਜੁਲਾ ਜੁਲਾਈ જુલાઈ ଆସାଡ଼ି ଜୁଲାଇ ஜூலை జులై బాన్దపాణా ಜು ಜುಲೈ ജൂലൈ ජූලි กรกฎาคม ກ.ລ ກໍລະກົດ ཟླ་༧ ཟླ་བ་བདུན་པ \
     ཟླ་བ་བདུན་པ་ ཟླ་བ་བདུནཔ་ ཟླ་བདུན་པ་ སྤྱི་ཟླ་བདུན་པ་ ဂျူ ဂျူလာၚ် ဇူ ဇူလိုင် လိူၼ်ပႅတ်ႇ ივლ ივლისი ሐመለ ሓም ሓምለ ኰር \
     ኰርኩ ጁላይ ᐹᐢᑲᐦᐋᐏᐲᓯᒼ ᔪᓚ ᔪᓚᐃ កក្កដា ᱡᱩᱞ ᱡᱩᱞᱟᱭ ⵢⵓⵍ ⵢⵓⵍⵢⵓⵣ 七月 ꏃꆪ ꖱꕞ ꖱꕞꔤ ꭻᏸ ꭻᏸꮙꮒ 𐐾𐐭𐑊 𐐾𐐭𐑊𐐴 𐓬𐓟𐓵𐓪͘𐓬𐓘 𑄎𑄪𑄣𑄭 𞄔𞄩𞄴𞄆𞄨𞄰 𞤥𞤮𞤪 𞤥𞤮𞤪𞤧𞤮",
    "abuztua aga agast agasti aggusti aggustip agosetose agost agosti agostose agostu ags agt agu agusito agust \
     agusta agusti agustos agustu agustus akaas akuhata ani aog aogositra aok aokuso aos aost aostu aou \
     aoǁkhuumûǁkhâb arh arhostosi ari auguscht auguso augusta augusti augusto augusts augustus augusztus aus austu \
     avgust avo avost avq avqust avust awg awgust awgusta awo awousse aws awst awu awur awustu aww awwissu ağustos \
     aŭg aŭgusto a̱ni borg borgemannu borgemánnu bɔ́r ct̓é d-ɔ dab daggis dea deasiamime difuu-ɔsandaa diŋ diŋgindi \
     elokuuta eos eost est eyethupa fɔe fɛ gsh gst gush gusht gustul hag hagayya here-turi-koka here-turi-kōkā hik \
     hìkaŋ ingci isi jasypoapy juk juko kanama kmn knn kol kolovoz kolovoza kukuru kük kükürü kǝu kʉvɨɨrɨ leq leqeeni \
     liiqen luanistyn luna lunasa lush lushika lùna lùshìkà lún lúnasa madǝmbii manyawale mha mhawuri mpg mupuguto \
     nan ncw ncwabakazi ndwenbet ndzɔ̀ŋɔ̀kwîfɔ̀e ngc ngm nyamavhuvhu nyandagaro oga ogas ogasiti ogasti ogis ogo \
     ogoost ogos ogost ogosto ogs ogu ogun ogus oig oigste okwamunaana opedel oug ougustus ougùstùs ouj oujoß pai \
     paipai ped pellctexelcten pellct̓éxel̓cten phato phatwe pisuyu pisuyú porge porgemaanu porgemáánu pu-musapiri \
     pú-musapíri rogpjute rogpjūtė roo rooptui rugp rugpjucio rugpjutis rugpjūtis rugpjūčio sid sierpien sierpień \
     sierpiyn sierpiyń sierpnia siy siyrpiyn siyrpiyń siyrpnia srabi srabĩ srpen srpna sur surla tbx teb tebax tha \
     thangule thoo thoor tho̱o̱r thu tinnivik tiñ tiññivik uti uut vɨɨrɨ winaminke wnn wun yag yagkujutin zel zelnik \
     zelnika zni zniunia znivien zél zélnik zélnika  awousse ·𐑪𐑜 ·𐑪𐑜𐑭𐑕𐑑 ágúst ògún ögu ögus öig öigšte āku ākuhata \
     şur şurla žni žnivień žniŭnia ɔlɔ́ɨ́bɔ́rárɛ ɔsanaa ɣuc ɣucct ɣuct ʻaok ʻaokosi ʻau ʻaukake αυγούστου αύγουστος \
     αὐγ αὐγούστου αὔγουστος августы атр атыр ауг аугуст а҆́ѵгꙋста а҆́ѵгꙋстъ а҆́ѵⷢ҇ жні жнівень жніўня нанҳəа нанҳә \
     нанҳәа серп серпень серпня сорла срл там тамыз ума умарьков ҫур ҫурла օգոստոս օգոստոսի օգս אוגוסט אוג׳ אויג \
     אויגוסט אױג آب آقۇست آگسٽ آگوست أغشت أوت أَغُ أَغُسْتَ ئاب ئاۋغۇست اوت اګست اگس اگست تامىز غشت ܐܒ ݢوس އޮގަސްޓް \
     ߘߓߊ߬ߓ ߘߓߊ߬ߓߌߟߊ अग अगस्ट अगस्त अगस्तमासः अगहन अग॰ आग आगष्ट आगस्ट आगस्टु आगस्थ ऑग ऑगस्ट ओगस्ट स्राबाँ আগ আগষ্ট \
     আগস্ট ওগ ওগষ্ট ਅਗ ਅਗਸਤ ઑગસ્ટ ଅଗଷ୍ଟ ସ୍ରାବାଁ ஆக ஆகஸ்ட் ఆగ ఆగస్టు బార్సి ಆಗ ಆಗಸ್ಟ್ ഓഗ ഓഗസ്റ്റ് අගෝ අගෝස්තු สิงหาคม \
     ສ.ຫ ສິງຫາ ཟླ་༨ ཟླ་བ་བརྒྱད་པ ཟླ་བ་བརྒྱད་པ་ ཟླ་བརྒྱད་པ་ སྤྱི་ཟླ་བརྒྱད་པ་ လိူၼ်ၵဝ်ႈ အဝ် အဝ်ဂါတ် ဩဂုတ် აგვ აგვისტო \
     ማርያ ነሐሰ ነሓ ነሓሰ ኦገስ ኦገስት ᐅᐸᐦᐅᐏᐲᓯᒼ ᐊᐅᒡᒍᓯ ᐊᒋ ᐊᒋᓯ សីហា ᱟᱜᱟ ᱟᱜᱟᱥᱛ ṱha ṱhangule ọgọ ọgọst ọgọọst ọ́gọ ‌ওগষ্ট ⵖⵓⵛ ⵖⵓⵛⵜ \
     八月 ꉆꆪ ꗛꔕ ꭶꮆ ꭶꮆꮒ 𐐪𐑀 𐐪𐑀𐐲𐑅𐐻 𐓤𐓣𐓟𐓰𐓪𐓬𐓘 𑄃𑄉𑄧𑄌𑄴𑄑𑄴 𞄕𞄩𞄲𞄔𞄄𞄰𞄤 𞤶𞤵𞤳 𞤶𞤵𞤳𞤮",
    "aku ami amigaiqsivik amiġaiqsivik any anyɔnyɔ ava avan avă avăn a̱ku bado bur bureet cab cabudanni cakc \
     cakcamannu chiti cohca cohcamaanu cte ctember ctembeṛ cut cutanbir cutenber daiktatin dait doc dzu dìpɔ̀s eylul \
     eylül eyomsintsi f-ɛ fankwa-ɛbɔ fde fulbaana fuulbana fʊm gbo gun gunyana gwe gwen gwengolo gwn hep hepetema \
     herbstmanet herbštmánet ike iln ilo ilon inyoni iraila jasyporundy ken kep kepakemapa khu khubvumedzi \
     kichitahkok kmw knd kus kushin kús kúshîn kʉsaatʉ leo leotse lewe lutongolo lwetse m-fouyir mahu mahuru \
     mean-fouyir med medi mfomh mfómh mni mpan mpandula msi munyense mvu mvuka mye ndwengouj ndz ndzhati \
     ndzɔ̀ŋɔ̀tɨ̀fʉ̀ghàdzughù njapi nyo nyɛt nyɛtɛki nze nzeli nzeri okwamwenda osokosokoma otowoskuce owewe \
     pesqelqlelten pesqelqlélten pu-irudi pú-irũdí qel rugs rugsejis rugsejo rugsėjis rugsėjo rujan rujna saa saatʉ \
     sag sat satambar sattumbar satumba seb sebteembar sebtembar sebuttemba sek sektanbur sen sentabr sentyabr \
     sentâbr sentýabr sepetema sepitema septaambar septam septamba septamber septambra septanm septemba septembar \
     septembari septembarip septembra septembrie septembris septembro septhemba septiembre septimber septiyembre \
     septyembre septämber seputemba setema setembar setember setembr setembre setembro setembru seteme setemere \
     setenbre setenbru setiembre setimbe settembar settember settembru setul setyembre setëmber sew sewnik sewnika \
     shad sht shtator siejes siejės siilto sillins sin sintebir sintebír sip siptimpaʼ siptiyimri sitimri sittembre \
     sittemmiru sittèmmiru slt sok spt stb sult syyskuuta szeptember sàt sàttumbar säp sèp sèptèmber sép séptémber \
     séw séwnik séwnika sēp sēpitema sɛt sɛtanburu sẹp sẹptẹ́mba tah taraǀkhuumûǁkhâb tɛɛ tɛɛr vie vierasien \
     vierasień vierasnia vieraśnia way waysu wkd wrzesien wrzesień wrzesiyn wrzesiyń wrzesnia września zar zari ·𐑕𐑧 \
     ·𐑕𐑧𐑐𐑑𐑧𐑥𐑚𐑸 îln îlo îlon čakč čakčamánnu čohčâ čohčâmáánu ɛbɔ σεπτέμβριος σεπτεμβρίου авӑн бал блҕ верасень \
     верасня верасьня вересень вересня идм идым сентябр сентябры сентјабр сеп септ септе́мврїа септе́мврїй септембар \
     септември сеⷫ҇ таш таштамков цəыб цəыббра цәыб цәыббра қыр қыркүйек սեպ սեպտեմբեր սեպտեմբերի סעפּ סעפּטעמבער \
     ספטמבר ספט׳ أيلول ئەی ئەیلوول سئپتامر ستم ستمبر سيپٽمبر سيپٽيمبر سيڤتيمبر سَت سَتُمْبَ سپت سپتامبر سپتمبر \
     سېنتەبىر سېپتمبر شتمبر شتنبر قىركۇيەك ܐܝܠܘܠ ސެޕްޓެންބަރ ߕߎߟߊߝߌ߲ पूस बाॅदो सतमबर सतुंबर सप्टे सप्टें सप्टेंबर सित \
     सितंबर सितंबरमासः सितमबर सितम्बर सित॰ सेप सेप्टेंबर सेप्टेंबरू सेप्टेम्बर सेप्थेम्बर सेबथेज्ब़र ছেপ্তে \
     ছেপ্তেম্বৰ সেপ সেপ্ট সেপ্টেঃ সেপ্টেম্বর সেপ্তেম্বর ਸਤੰ ਸਤੰਬਰ સપ્ટે સપ્ટેમ્બર ବଦ ସେପ୍ଟେମ୍ବର செப் செப்டம்பர் అస్ర \
     సెప్టెం సెప్టెంబర్ ಸೆ ಸೆಪ್ಟೆಂ ಸೆಪ್ಟೆಂಬರ್ ಸೆಪ್ಟೆಂಬರ್‌ സെപ്റ്റം സെപ്റ്റംബർ සැප් සැප්තැම්බර් กันยายน ກ.ຍ ກັນຍາ ཟླ་༩ \
     ཟླ་དགུ་པ་ ཟླ་བ་དགུ་པ ཟླ་བ་དགུ་པ་ སྤྱི་ཟླ་དགུ་པ་ စက် စက်တင်ဘာ လိူၼ်သိပ်း သိပ် သိပ်တီဗာ სექ სექტემბერი መስ መስከ \
     መስከረም ሴፕቴ ሴፕቴምበር ከረመ ያኸኒ ᓄᒌᑐᐏᐲᓯᒼ ᓯᑎ ᓯᑎᐱᕆ ᓯᑎᕙ កញ្ញា ᱥᱮᱯ ᱥᱮᱯᱴᱮᱢᱵᱟᱨ ⵛⵓⵜ ⵛⵓⵜⴰⵏⴱⵉⵔ 九月 ꈬꆪ ꕢꕌ ꮪꮅ ꮪꮅꮝꮧ 𐑅𐐯𐐹 𐑅𐐯𐐹𐐻𐐯𐑋𐐺𐐲𐑉 \
     𐓧𐓟𐓜𐓛𐓲𐓟𐓷𐓣͘𐓤𐓟 𑄥𑄬𑄛𑄴𑄑𑄬𑄟𑄴𑄝𑄧𑄢𑄴 𞄛𞄤𞄱𞄒𞄤𞄰 𞤧𞤭𞤤 𞤧𞤭𞤤𞤼𞤮",
    "aaktopaʼ ahinime akt aktubar ant antɔŋ bio bioom bìòôm cim cot cotmeh damh dap dasara dfomh dfómh dipha \
     diphalane diteli dwa dàmh ekim epe epeeso eyedwarha fmu gis gitugutu golg golggotmannu golggotmánnu gum gumiguru \
     gís hed hyd hydref iku imp impala imphala inyi ipam ipamtatin j-fouyir jasypa jerrey-fouyir jup jupa kastrycnik \
     kastrycnika kastryčnik kastryčnika kele kkm ktu ktuber ktubr kum kwiinyi kṭu kṭuber laa laath lad lokakuuta lun \
     lungudi lungùdi lɔm mayésɛ́ mfumfu mok mokhu mph mphalane mxi ndwencib ndzɔ̀ŋɔ̀ghǔuwelɔ̀m nga ngberere nyukul \
     nípbaatiˀtiˀ och ochobre octobris octombrie octubre octòbre octôbe oke oketopa oki okitoba okitobba oktabr \
     okthoba okthobha oktob oktoba oktobar oktobari oktobarip oktobere oktobore oktobra oktobris oktobro oktohber \
     oktoobar oktoober oktoobur oktover oktuba oktubre oktuuber oktyabr oktâbr oktòb október októbra oktýabr oktũba \
     okutoba okwaikumi olgisan olgísan onk onkololeessa onkoloolessa otibar oto otober otobre otover ottubru otubar \
     otubr otubro otubru outubro outubru owara paz pazdziernik pazdziernika październik października pesllwelsten \
     pesllwélsten puk puksit rij rijen rijna roovvad roovvadmaanu roovvâd roovvâdmáánu rujana santugaine shak sik \
     sikkuvik spal spale spalio spalis spallins spalė stg swa tet tetor tib tob tobul tom ton tshimedzi tub tuber \
     tubeṛ ukt uktebir uktuwri ukw ukwakira urria utt uttuviru uttùviru wel whi-nu whiringa-a-nuku whiringa-ā-nuku \
     wik wim wimanet wél wím wímánet yar yarkomaa yepe-putimaa yepé-putimaã  octôbe ·𐑷𐑒 ·𐑷𐑒𐑑𐑴𐑚𐑸 òkt òktober ökt \
     öktoba ött ükt üktebír ĩku října ǂnûǁnâiseb ɔ-a ɔbɛsɛ-ahinime ɔku ɔkutɔburu ɔtb ʻok ʻoka ʻokakopa ʻokatopa \
     οκτωβρίου οκτώβριος алт алтынньы жовт жовтень жовтня жьҭ жьҭаара кас кастрычнік кастрычніка ожо ожоков октобар \
     октомври октябр октябры октјабр шыж шыжа юпа ѻ҆ктѡ́врїа ѻ҆ктѡ́врїй ѻ҆кⷮ қаз қазан հոկ հոկտեմբեր հոկտեմբերի אָקט \
     אוקטובר אוק׳ אקט אקטאבער آڪٽوبر أُكْت أُكْتوُبَ ئوکتوڤر ئۆكتەبىر اكتبر اكتوبر اوْکتوْبر اوکتوبر اکت اکتبر اکتوبر \
     اکتوٗبر تشرين الأول قازان އޮކްޓޫބަރ ߞߏ߲ߓ ߞߏ߲ߓߌߕߌ߮ अकटू अकटूबर अकतुम्बर अक्ट' अक्ट'बर अक्टू अक्टूबर अक्टू॰ \
     अक्टोबर अक्तू अक्तूबर अक्तूबरमासः अक्तू॰ अखथबर आक्टूबरू आक्टोबर ऑक्टो ऑक्टोबर ओक्टोबर दासारा माघ অক্টো অক্টোঃ \
     অক্টোবর অক্টোবৰ ওক্টো ওক্টোবর ওক্ত ওক্তোবর ਅਕਤੂ ਅਕਤੂਬਰ ઑક્ટો ઑક્ટોબર ଅକ୍ଟୋବର ଦାସାରା அக் அக்டோபர் అక్టో అక్టోబర్ \
     దివెడి ಅಕ್ಟೋ ಅಕ್ಟೋಬರ್ ഒക്ടോ ഒക്‌ടോബർ ඔක් ඔක්තෝබර් ตุลาคม ຕ.ລ ຕຸລາ ཟླ་༡༠ ཟླ་བ་བཅུ་པ ཟླ་བ་བཅུ་པ་ ཟླ་བཅུ་པ་ \
     སྤྱི་ཟླ་བཅུ་པ་ လိူၼ်သိပ်းဢဵတ်း အောက် အောက်တိုဘာ အံက် အံက်တဝ်ဗာ ოქტ ოქტომბერი መተሉ ኦክተ ኦክተውበር ኦክቶ ኦክቶበር ጠቀመ ጥቅ ጥቅም \
     ጥቅምቲ ᐆᑦᑑᕝᕙ ᐊᑦ ᐊᑦᑐᕙ ᐱᓈᐢᑯᐏᐲᓯᒼ តុលា ១០ ᱚᱠᱴ ᱚᱠᱴᱚᱵᱟᱨ ọkt ọktoba ọktóba ọ̀wàrà ὀκτ ὀκτωβρίου ὀκτώβριος ⴽⵜⵓ ⴽⵜⵓⴱⵔ 十月 ꊰꆪ \
     ꕭꖃ ꮪꮒ ꮪꮒꮕꮧ 𐐱𐐿𐐻 𐐱𐐿𐐻𐐬𐐺𐐲𐑉 𐓧𐓟𐓜𐓛 𑄃𑄧𑄇𑄴𑄑𑄬𑄝𑄧𑄢𑄴 𑄃𑄧𑄇𑄴𑄑𑄮𑄝𑄧𑄢𑄴 𞄪𞄱𞄀𞄤𞄴 𞤴𞤢𞤪 𞤴𞤢𞤪𞤳𞤮",
    "ade adeɛmekpɔxe ale alemle azaroa belu bélú cuk cük dgi diba divi ehole eyenkanga fgw huk hukuri ikm imw \
     jasypatei jasypateĩ jolal kaa kaswekese kaswèkèsè kasım kit kmj knk kpt kʉsaano lapkr lapkreste lapkricio \
     lapkritis lapkričio lapkrutis lapkrėstė lapkrūtis lar lara les lestopadnik lestopadnika listapad listapada \
     listopada listopadu lweti lwezi lës lëstopadnik lëstopadnika m-houney m.houney makandikɛ marraskuuta mbu mbudzi \
     mij mijdar mjd munyonyo mus musongandembwe mxk màyɛsèp nab naba nabanduru nabändüru naw nawambar ndwencib'it nen \
     nentor ngad ngw ngwanatsele nippivik nka nob nobemba nobiyembre nobyembre noe noema nof nofember nofemere \
     nofimpaʼ noiembrie noo noofeembar noowanbur nop nopember nopèmber nopémber novam novamber novambra novanm novema \
     novemba novembar novembari novembarip novembr novembra novembris novembro novembru noveme novenbre noviembre \
     novimbe novimber novul novämber novèmber novëmber now nowaambar nowamba nowambar nowanburu nowemapa nowemba \
     nowember nowembra nowàmbar noy noyabr noyebir noyebír noý noýabr nun nunember nunembeṛ nuv nuvember nuvembre \
     nuvemmiru nuvenbru nuvèmmiru nuw nuwamba nuwanbir nuwember nuwimri nuwiyimri nvb nwa nwanbir nën nëntor nóvember \
     nôv nôvimbe nöw nöwemba nōv nōvema nọv nọvẹ́mba obubuo olabor onn payares phai phaikuni pom pud pudungwana pun \
     pʉshʉ́ka saano sadaasa samh samhain santandria sby shin shinutin shʉ́ skab skabmamannu skamma skammamaanu skammâ \
     skammâmáánu skáb skábmamánnu sta studeni studenoga tach tachwedd tin tinini tiníní ugu ugushyingo usi \
     usinyikhaba wam wamber wambeṛ whi-ra whiringa-a-rangi whiringa-ā-rangi wini wintermanet wintermánet wmw xim \
     ximoli yepe-yepe yepé-yepé ·𐑯𐑴 ·𐑯𐑴𐑝𐑧𐑥𐑚𐑸 ĩkm ǀhooǂgaeb ɔ-o ɔberɛfɛw-obubuo νοέμβριος νοεμβρίου абҵ абҵара клм \
     кылме лист листопад листопада ліс лістапад лістапада нов новембар ное́мврїа ное́мврїй ноември ноеⷨ нояб ноябр \
     ноябры ној нојабр сун сундерьков сэт сэтинньи чӳк қар қараша նմբ նոյ նոյեմբեր նոյեմբերի נאָװ נאוו נאוועמבער \
     נובמבר נוב׳ قاراشا نئوم نئومبر نوامبر نوم نومبر نونبر نويابىر نوْوامبر نوڤامر نوۏيمبر نُو نُوَمْبَ ނޮވެންބަރ ߣߍߣ \
     ߣߍߣߍߓߊ दिवी नबेज्ब़र नव नवं नवंबर नवंबरमासः नवंबरू नवमबर नवम्बर नवूमबर नवे नवेम्बर नव॰ नो नोभेम्बर नोव्हें \
     नोव्हेंबर फागुन নবে নবেম্বর নভে নভেঃ নভেম্বর নৱে নৱেম্বৰ ਨਵੰ ਨਵੰਬਰ નવે નવેમ્બર ଦିୱି ନଭେମ୍ବର நவ நவம்பர் నవం \
     నవంబర్ పాండు ನವೆಂ ನವೆಂಬರ್ നവം നവംബർ නෙවැ නොවැ නොවැම්බර් พฤศจิกายน ພ.ຈ ພະຈິກ ཟླ་༡༡ ཟླ་བ་བཅུ་གཅིག་པ \
     ཟླ་བ་བཅུ་གཅིག་པ་ ཟླ་བཅུ་གཅིག་པ་ སྤྱི་ཟླ་བཅུ་གཅིག་པ་ နဝ် နဝ်ဝါမ်ဗာ နို နိုဝင်ဘာ လိူၼ်သိပ်းသွင် ნოე ნოემბერი ሕዳ \
     ሕዳር ኀደረ ኖቬም ኖቬምበር ᐋᕽᐘᑎᓄᐏᐲᓯᒼ ᓄᕕ ᓄᕕᐱᕆ ᓄᕕᕙ វិច្ឆិកា ១១ ᱱᱟᱣ ᱱᱟᱣᱟᱢᱵᱟᱨ ḽar ḽara ⵏⵓⵡ ⵏⵓⵡⴰⵏⴱⵉⵔ 十一 十一月 ꊯꊪꆪ ꔞꘋ ꮕꮣ ꮕꮣꮥꮖ 𐑌𐐬𐑂 \
     𐑌𐐬𐑂𐐯𐑋𐐺𐐲𐑉 𑄚𑄧𑄞𑄬𑄟𑄴𑄝𑄧𑄢𑄴 𞄚𞄦𞄲𞄤𞄚𞄄𞄰𞄫 𞤶𞤮𞤤 𞤶𞤮𞤤𞤮",
    "abendua afu afuabe aralık avi aviento avientu berfanbar bow bowte brf bʊn chr christmanet chrištmánet \
     cháykáhdaytiˀtiˀ cis ciswa ciswà das dasambar decembar decembari decembarip decembra decembre decembrie \
     decembris decembro decimbe dee deesanbur dek dekabr dekul desaambar desam desambar desambra desanburu desanm \
     desemba desembre deseme desimber desàmbar desèmber det detsember dex dexembre dezamba dezamber dezembr dezembro \
     dezembru dezenbre dezämber dezëmber dhj dhjetor dicemba dicembar dicember dicembru dicemmiru diciembre dicèmmiru \
     dik dikebir dikebír diksemba dis disamba disambar diseembar disemba disember disemere disyembre disẹ́mba dix \
     dixembre diz dizenbru diċ diċembru dsb dubh dug dugember duj dujanbir dujember dujembeṛ duǧ duǧembeṛ dzm dzome \
     dés désèmber désémber dùbh ela elá eláŋgɛ́ eyomnga fwo fyu god godnik godnika grd grude grudnia grudzien \
     grudzień grudziyn grudziyń gruod gruodis gruodzio gruodžio grůdė gòd gòdnik gòdnika haki hakihea hôasoreǁkhâb \
     igi ikl ingongoni iwi jasypakoi jasypakõi joulukuuta juov juovla juovlamaanu juovlamannu juovlamánnu juovlâ \
     juovlâmáánu kak kakauka kanun kanûn kax kek kekemapa ker kerzu kev kigarama kmb knb kris krisimin krísimin kzu \
     kʉsasatʉ lit liɓ m-nollick m-ɔ m.nollick manth matijong mng mpal mpalakazi mudde muddee muh muhaano \
     mumu-ɔpɛnimba mux muxkotae mxd n'w n'wendzamhala nad nadale nata ndithemba ndwencibngeih ndzɔ̀ŋèfwòo ngab noll \
     nollaig ntʉ́ ntʉ́ŋʉ́s nyendavhusiku ope opoo pande pelltetetqem pelltetétq̓em pilɔndɔ́ poo prosinac prosinca \
     prosince ras rastav raš raštav rha rhag rhagfyr ris risimri sakamtin sal sallaws sasatʉ sbh sed sedimonthole siq \
     siqingilaq siqiñġiḷaq sni sniezan snieznia tes tesema tesemo tid tih tihema tiisimpaʼ tis tisema tisiyimri tow \
     tshitwe tīh tīhema tīs tīsema uku ukuboza yel yepe-mukui yepé-mukũi zvi zvita ·𐑛𐑭 ·𐑛𐑭𐑕𐑧𐑥𐑚𐑸 ĩkl śni śniežań \
     śniežnia ɓulɓusɛ ɔpɛnimma δεκέμβριος δεκεμβρίου ахс ахсынньы аца ацамков груд грудень грудня декабр декабры \
     деке́мврїа деке́мврїй декември дец децембар деⷦ҇ жел желтоқсан раш раштав сне снежань снежня сьн сьнежань \
     сьнежня тел теле ԥхынҷ ԥхынҷкәын դեկ դեկտեմբեր դեկտեմբերի דעצ דעצעמבער דצמבר דצמ׳ جەلتوقسان دئسامر دجمبر دجنبر \
     دسامبر دسم دسمبر ديسيمبر دَسَمبَر دِس دِسَمْبَ دېكابىر ڊسمبر ޑިސެންބަރ ߞߏߟ ߞߏߟߌ߲ߞߏߟߌ߲ चैति डिसं डिसंबर डिसे \
     डिसें डिसेंबर डिसेम्बर दसमबर दसूमबर दिस दिसंबर दिसंबरमासः दिसमबर दिसम्बर दिसेज्ब़र दिस॰ पान्डे ॾिसंबरू ডিচে \
     ডিচেম্বৰ ডিস ডিসে ডিসেঃ ডিসেম্বর ਦਸੰ ਦਸੰਬਰ ડિસે ડિસેમ્બર ଡିସେମ୍ବର ପାଣ୍ଡେ டிச டிசம்பர் డిసెం డిసెంబర్ పుసు ಡಿ \
     ಡಿಸೆಂ ಡಿಸೆಂಬರ್ ഡിസം ഡിസംബർ දෙසැ දෙසැම්බර් ธันวาคม ທ.ວ ທັນວາ ཟླ་༡༢ ཟླ་བ་བཅུ་གཉིས་པ ཟླ་བ་བཅུ་གཉིས་པ་ \
     ཟླ་བཅུ་གཉིས་པ་ སྤྱི་ཟླ་བཅུ་གཉིས་པ་ ဒီ ဒီဇင်ဘာ ဒဳ ဒဳသီဗာ လိူၼ်ၸဵင် დეკ დეკემბერი ተሕሳ ተሕሳስሪ ታሕ ታሕሳ ታሕሳስ ኀሠሠ ዲሴም \
     ዲሴምበር ᑎᓯ ᑎᓯᐱᕆ ᑎᓯᕝᕙ ᒪᑯᓭᑮᓭᑳᐏᐲᓯᒼ ធ្នូ ១២ ᱫᱤᱥ ᱫᱤᱥᱟᱢᱵᱟᱨ ọ̀pẹ̀ ⴷⵓⵊ ⴷⵓⵊⴰⵏⴱⵉⵔ 十二 十二月 ꊰꑋꆪ ꖨꖕꗏ ꭵꮝ ꭵꮝꭹᏹ 𐐼𐐨𐑅 𐐼𐐨𐑅𐐯𐑋𐐺𐐲𐑉 \
     𑄓𑄨𑄥𑄬𑄟𑄴𑄝𑄢𑄴 𑄓𑄨𑄥𑄬𑄟𑄴𑄝𑄧𑄢𑄴 𞄒𞄩𞄱𞄔𞄬𞄴 𞤦𞤮𞤱 𞤦𞤮𞤱𞤼𞤮",
];
