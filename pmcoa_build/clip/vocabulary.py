"""The bundled WordPiece vocabulary: special tokens, characters, affixes and our own list of figure-caption words.

It is small on purpose (the demo's text tower learns it in minutes); any other word is spelt from pieces.
`vocab.txt` is `build_vocabulary()`, one token a line; a test holds them equal.
"""

from __future__ import annotations

import string
import unicodedata

from pmcoa_build.clip.tokenizer import SPECIAL

_PUNCTUATION = "!\"#%&'()*+,-./:;<=>?[]^_~°±µ×–—‘’“”•…≤≥≈→"
_GREEK = "αβγδεζηθκλμνξπρσςτφχψω"

_AFFIXES = """s es ed ing er ers or ly al ic ical ous ive able tion tions ation ations ity ies y um us ae a ia ias is
itis osis oma omas emia pathy plasia plasty scopy scopic graphy graphic gram grams graph metry metric lysis lytic
genic genesis cyte cytes cytic blast blasts phil phils phage phages in ine ase ose ol ate ated id ide oid ar ary
ment ness ful less like wise ward th st nd rd able ance ence ant ent ism ist ization ized izing ise ised en est
on ions ion uria algia ectomy otomy ostomy stasis static tropic trophic trophy kinase mab nib ab ml mg mm cm um nm
kg hz kb bp da min max re ro le la li ma na ni no ta ti to te vi ve se si so co ca de di do fi ga go ha he hi lo
lu me mi mo mu ne nu pa pe pi po pr qu ra ri ru sa su tr tu un ur va vo th ch sh ph gl cl st str"""

_WORDS = """
a about above absence absent abundant according across active activity acute addition adjacent administered adult
after age aged against all along also although among amount an analysis analyzed and another anterior any apical
apparent appearance appear appears applied approximately are area areas around arranged arrow arrowhead arrowheads
arrows as asterisk asterisks at axial axis background band bands bar bars based basal be been before beginning below
beneath between beyond big bilateral black blank blue body border borders both bottom boundary box boxed boxes boxplot
bright brown but by calculated can cannot caption case cases cell cells cellular center central centre centered change
changes characteristic chart circle circles circular class clear clearly close clustered cluster clusters coarse
coarsely code collected color colored colour coloured column columns combined common compact compared comparison
complete composed compound concentration condition conditions consistent contain containing contains continuous
contour contours contrast control controls corner coronal corresponding count counts covered cropped cross crosses
cross-section curve curved curves cyan cyst cystic cysts dark darker dashed data dataset day days decrease decreased
decreasing deep defect defects definite degree dense density depth derived described detail detected determined
deviation diagram diameter diamond diamonds different difference diffuse dimension direction disc discrete disease
disk displayed distal distance distinct distributed distribution dorsal dose dot dots dotted double dozen drawn due
during each early edge edges effect effects eight eighth either electron elevated eleven elliptical elongated empty
end enhanced enhancement enlarged entire enclosed equal error evident exact examination example except expanded
experiment experimental expose exposed exposure expressed expression extends extending extensive extent external faint
falling falls false far featureless few field fields fifth figure figures filled fine finely first five fixed flat
flow focal foci focus following follow for form formation forms found four fourth fraction frame free frequency from
front frontal full function further general given gradual gradient graph gray green grey grid group groups growth had
half halo hand has have healthy heart heatmap heavy height heterogeneous hexagon hexagonal high higher highest
highlighted histogram hollow homogeneous horizontal hour hours how however identified illustrates illustration image
images imaging in increase increased increasing independent indicate indicated indicates indicating individual
inferior inner inset inside intact intense intensity intermediate internal interval into inverted irregular is
isolated it its just key kept label labeled labelled labels large larger largest lane lanes last late lateral layer
layered layers leading left legend length less lesion lesions letter level levels light like likely limit limits line
linear lines lobe lobed lobes local localized location log long longer longest longitudinal loss low lower lowest
magenta magnification magnified main major many map marked marker markers marks margin margins mass masses mature
maximum mean means measured measurement medial median medium mice middle mid midline mild minimum minor minutes
missing mixed model moderate months more most mostly mouse moving much multiple narrow near nearly negative next nine
ninth no node nodes nodular nodule nodules noisy none normal north not note noted nucleus nuclei number numbers
numerous object objects oblique observed obtained of off old on one only opaque opacities opacity open opposite orange
or order organ original other our out outer outline outlined outside oval over overall overlap overlay overview pair
paired pale panel panels parallel part partial particles parts passing patch patches patchy patient patients pattern
patterns peak peaks pentagon percent percentage perpendicular phase photo photograph photographs picture piece pieces
pink place plain plane plot plots plotted point pointed points polygon position positive posterior post pre predicted
presence present presented previous primary prior process profile prominent proportion proximal purple quadrant
quadrants quantification quantified radial random range rapid rare rate ratio reach reached reaches reaction recorded
rectangle rectangular red reduced reduction reference region regions regular related relative removal repeated
representation representative represents respect respectively response result results right ring rings rise rises
rising rotated rough round rounded row rows same sample samples scale scales scan scanned scans scatter scattered
schematic score second section sections seen segment segmented segments selected separate series set seven seventh
several severe shade shaded shadow shape shaped sham shapes sharp sharply short shorter shortest show showed showing
shown shows side sides signal signals significant significantly similar single site sites six sixth size sizes slice
slices slide slides slight slightly slope sloping small smaller smallest smooth so solid some source space spaced
sparse spatial specimen specimens specific speckled spectrum sphere spherical spiculated spindle spiral spot spots
square squares stage stages stained staining stains standard star stars stat state stellate step straight streak
streaks striped stripes strong structure structures study subject subjects such sum superior supplementary surface
surrounded surrounding surgery surgical survival symbol symbols symmetric table tail taken target temporal ten test
tested texture than that the their them then there these they thick thickened thickness thin third this those three
threshold through thus tick time times tip tissue tissues to together top total toward towards trace traces
transparent transverse treated treatment trend triangle triangles triangular true tubular turquoise twelve twenty
twice two type types typical under uniform unilateral unit units unknown up upon upper upward use used using value
values variable variation various ventral versus vertical very via view views violet visible visualized vs wall walls
wave wavy was weak wedge week weeks well were when where whereas which while white whole wide wider width wild with
within without x-axis y-axis year years yellow zero zigzag zone zones zoom abdomen abdominal abnormal abscess acid
acini acetate actin adenocarcinoma adenoma adipose adrenal airway albumin allele alpha alveolar alveoli amplitude
amplified amyloid anatomy aneurysm angiogram angiography animal ankle antibody anti antigen aorta aortic apoptosis
apoptotic arch arm arterial arteries artery arthritis artifact aspect assay astrocyte atrial atrium atrophy
attenuation autopsy axillary axon bacteria bacterial barrier basement benign beta bile biliary bind binding biopsy
bladder bleeding blood blot blots blotting bone bones bony bowel brain brainstem breast bronchial bronchus buffer
calcification calcifications calcified calcium cancer capillary capsule carbon carcinoma cardiac cardiomegaly
cartilage catheter caudal cavity cerebellum cerebral cerebellar cervical channel chest chromatin chromosome
chromatography chronic cirrhosis clinical clone coil colon colony colonies colonoscopy computed confocal consolidation
contraction coronary cortex cortical cranial crypt crypts ct culture cultured cultures curve cutaneous cytoplasm
cytoplasmic cytometry dapi deformity degeneration dendritic dental dermal dermis dermoscopy diaphragm differentiation
diagnosis diagnostic diastolic dilated dilation disorder dna doppler drug duct ductal ducts duodenum dye dysplasia ecg
echo echocardiography echogenic edema eeg effusion electrode electrophoresis elisa embolism embryo endoscopic
endoscopy endothelial endothelium enzyme eosin eosinophilic epidermis epithelial epithelium erosion erythema esophagus
eye extracellular extraction face fat fatty feature features feet female femoral femur fetal fever fiber fibers fibre
fibres fibroblast fibroblasts fibrosis fibrotic fibrous fibula finger fingers fissure fistula flair fluid fluorescence
fluorescent fluoroscopy follicle foot foreign fracture fractures fundus fungal fusion gallbladder gastric gel gene
genes genome genotype gfp gland glands glandular glial glioma glucose graft granular granules granuloma ground-glass
ground glass growing guided gut hair head healing hematoma hematoxylin he hemisphere hemorrhage hepatic hepatocyte
hepatocytes hernia high-power hilar hilum hip hippocampus histology histological histologic histopathology hormone
human humerus hyperintense hypointense hyperplasia hypertrophy hyphae hypoechoic hyperechoic ileum immune
immunofluorescence immunohistochemistry immunohistochemical immunoblot implant infarct infarction infected infection
infiltrate infiltrates infiltration inflammation inflammatory inhibitor inhibition injected injection injury insulin
intestinal intestine intracranial intraoperative invasion invasive iron ischemia ischemic jaw joint junction kda
kidney kinase knee knockout larva leaf leg lens lesional leukemia ligament limb lipid liver lobule lobules lumbar
lumen lung lungs lymph lymphatic lymphocyte lymphocytes lymphoma lysate macrophage macrophages macroscopic macular
magnetic male malignant mammary mammogram mammography mandible marrow masson matrix maxillary mediastinal mediastinum
melanoma membrane membranes meningioma mesenchymal messenger metabolic metastasis metastases metastatic methylation
micrograph micrographs microscope microscopic microscopy migration mitochondria mitotic molecular monitor morphology
motor mri mrna mucosa mucosal muscle muscles mutant mutation mutations myocardial myocardium nasal neck necrosis
necrotic neoplasm nerve nerves neural neuron neuronal neurons neutrophil neutrophils nuclear nucleoli occlusion ocular
optic oral organoid orbital orthopedic ovarian ovary oxygen palpable pancreas pancreatic papillary paraffin paraspinal
parenchyma parenchymal parietal pathological pathology pathway pcr pelvic pelvis perfusion pericardial peripheral
peritoneal pet phantom pharynx phenotype photomicrograph photomicrographs physiological pigment pigmented placebo
placenta plaque plaques plasma platelet pleura pleural pneumonia pneumothorax polyp polyps pore portal preoperative
postoperative pregnancy probe procedure proliferation prostate protein proteins pulmonary pulse pupil pus radiograph
radiographs radiography radiological radiologic radius rat rats receptor rectal rectum recurrence red-brown reflux
renal resected resection resonance respiratory retina retinal rib ribs rna root sagittal scalp scar scanning sclerosis
screw sem septa septum sequence sequences serum shaft shoulder sinus skeletal skeleton skin skull soft software
species sperm spinal spine spleen splenic sternum stem stenosis stent stomach stone strain stress stroke stroma
stromal subcutaneous swelling swollen symptoms syndrome synovial systolic t1 t2 t1-weighted t2-weighted t-test tem
temperature tendon testis therapy thigh thoracic thorax thrombus thrombosis thyroid tibia toe tomography tongue tooth
teeth trabecular trachea tract transcript transcription transfected transmission transplant trauma tube tuberculosis
tubule tubules tumor tumors tumour ulcer ulcerated ulcers ultrasound ultrasonography umbilical ureter urinary urine
uterine uterus vaccine vacuole vagina valve vascular vasculature vector vein veins venous ventricle ventricles
ventricular vertebra vertebrae vertebral vessel vessels villi viral virus visceral vitro vivo volume weight weighted
western wound wounds wrist x-ray xray x-rays yeast zebrafish µm radiodense radiolucent lucent translucent sonogram
sonographic anechoic hyperdense hypodense isodense isointense hypermetabolic uptake tracer scintigraphy spect
angiographic cine fused scout inhomogeneous well-circumscribed ill-defined well-defined circumscribed lobulated
cavitary cavitated reticular interstitial basilar apex bibasilar perihilar unremarkable aerated clearing opacified
costophrenic hemidiaphragm hemithorax cranium calvarial parasagittal basophilic eosinophil hyperchromatic pleomorphic
mitosis mitoses atypical atypia stratified columnar squamous cuboidal pseudostratified goblet keratin keratinized
collagen elastin reticulin trichrome giemsa silver schiff alcian gram counterstained counterstain stratum nest nests
sheet sheets cord cords strand strands whorl whorls cribriform solid-type loading housekeeping gapdh tubulin ladder
molecular-weight immunoprecipitation lysates densitometry duplicate triplicate kaplan meier hazard odds confidence
regression correlation correlated coefficient slope roc auc sensitivity specificity cohort baseline follow-up
mortality incidence prevalence cumulative logarithmic exponential sigmoidal sinusoidal oscillating plateau bimodal
skewed gaussian whisker whiskers violin stacked grouped pie donut bubble forest funnel tree phylogenetic dendrogram
network flowchart workflow pathway-map scheme cartoon design pipeline block blocks node-link arrowed branching
branched linked connected unconnected interconnected photographed gross bench instrument device ruler gloved drape
tray vial dish petri plate plates well-plate flask pipette tweezers forceps january february march april may june july
august september october november december i ii iii iv v vi vii viii ix x xi xii tiny findings finding others
protrusion population populations channels fast slow dermoscopic naevus nevus dominant microcalcifications
microcalcification rhythm ring-enhancing electron-lucent electron-dense photography avid vacuoles interphase occipital
electroencephalogram electrocardiogram hot exudate exudates membranous vesicle vesicles burst haemorrhage haemorrhages
papule papules whitish yellowish fixation mitochondrion situ hybridization peaked dipping projections projection
siblings forearm recordings recording angiograms deficiency haematoxylin products gels untreated depression elevation
steps gap agarose fish child man woman boy girl per physical exploration cytometric tumoral mammograms leukocyte
leukocytes erythrocyte erythrocytes platelets hyphal gallstone gallstones stone stones spiked intracellular
perinuclear punctate filamentous fibrillar granulated vacuolated multinucleated nucleated crescent lenticular biconvex
wedge-shaped ring-shaped star-shaped dumbbell bean kidney-shaped butterfly horseshoe ribbon calcific septate
nonseptate loculated pedunculated sessile flat-topped umbilicated verrucous crusted scaly erythematous hyperpigmented
hypopigmented macule macules nodulocystic pustule pustules plaque-like annular serpiginous arrhythmia tachycardia
bradycardia fibrillation flutter ectopic sinus-rhythm complexes spikes spike slowing discharge akt erk p53 mapk mtor
stat3 nfkb tnf il6 vegf egfr her2 ki67 cd3 cd4 cd8 cd20 cd31 cd34 cd45 cd68 caspase cyclin l1 l2 l3 l4 l5 s1 c1 c2 c3
c4 c5 c6 c7 v1 v2 v3 v4 v5 v6 avf avl avr co2 o2 ph od
"""


def build_vocabulary() -> list[str]:
    """All tokens in id order: special, characters, continued characters, affixes (`##…`), words sorted."""
    characters = sorted(string.ascii_lowercase + string.digits + _PUNCTUATION + _GREEK)
    # BERT cuts at punctuation (Unicode P), but not at symbols: 37°c is one word
    inside = [token for token in characters if not unicodedata.category(token).startswith("P")]
    numbers = [str(number) for number in range(10, 101)]
    affixes = sorted({f"##{affix}" for affix in _AFFIXES.split()})
    # BERT's pre-tokenizer cuts at hyphens and strips accents, so only the parts can ever match
    words = sorted({part for word in _WORDS.split() for part in word.replace("µ", "μ").split("-")})
    tokens = [*SPECIAL, *characters, *(f"##{letter}" for letter in inside), *numbers, *affixes, *words]
    return list(dict.fromkeys(tokens))
